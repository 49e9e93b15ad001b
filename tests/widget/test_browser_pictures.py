"""Pictures, thoughts and choices in a real browser."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext

from tests.core.pictures import png
from tests.widget.browser import Tab, chromium
from tests.widget.stage import Stage, staged
from tests.widget.test_browser import AXE, STRICT

pytestmark = pytest.mark.asyncio(loop_scope="module")  # so that one browser serves all of them
PASTE = """([body, type]) => {
  const bytes = Uint8Array.from(atob(body), (one) => one.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], "a.png", {type: "image/png"}));
  const chat = document.querySelector("botyard-chat").shadowRoot;
  const more = {bubbles: true, cancelable: true};
  const event = type === "paste" ? new ClipboardEvent("paste", {clipboardData: data, ...more})
    : new DragEvent("drop", {dataTransfer: data, ...more});
  chat.querySelector(type === "paste" ? "textarea" : ".log").dispatchEvent(event);
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module")
async def widget(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, web_cache: Path
) -> AsyncIterator[Stage]:
    monkeypatch.setenv("BOTYARD_HOME", str(tmp_path))
    async with staged(sqlite_url, tmp_path, web_cache) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(locale="en-GB")
    yield context
    await context.close()


async def attach(tab: Tab, *bodies: bytes, name: str = "a.png", mime: str = "image/png") -> None:
    files = [{"name": name, "mimeType": mime, "buffer": body} for body in bodies]
    await tab.page.locator("botyard-chat input[type=file]").set_input_files(files)


async def sizes(tab: Tab) -> list[int]:
    """The widths of the pictures in the talk."""
    found = tab.page.locator("botyard-chat .pics canvas")
    return [await found.nth(at).evaluate("node => node.width") for at in range(await found.count())]


async def test_a_picture_is_attached_sent_and_there_after_a_reload(
    widget: Stage, context: BrowserContext
) -> None:
    tab = await (await Tab.open(context, widget.page())).show()
    await attach(tab, png(300, 200), png(64, 64))
    chips = tab.page.locator("botyard-chat .chip:not([data-busy])")
    await tab.until(2, chips.count)
    await tab.page.locator("botyard-chat .chip button").first.click()
    await tab.until(1, chips.count)
    await tab.say("What is it?")
    await tab.until([64], lambda: sizes(tab))
    await tab.answers("You said: What is it?")
    assert await chips.count() == 0
    await tab.page.reload()
    await tab.panel.wait_for(state="visible")
    await tab.until([64], lambda: sizes(tab))
    await tab.said("What is it?")
    assert tab.errors == []


async def test_a_picture_needs_no_words_and_a_second_tab_shows_it(
    widget: Stage, context: BrowserContext
) -> None:
    url = widget.page()
    tab = await (await Tab.open(context, url)).show()
    other = await (await Tab.open(context, url)).show()
    await attach(tab, png(50, 40))
    await tab.until(True, tab.page.locator("botyard-chat .go").is_enabled)
    await tab.page.locator("botyard-chat .go").click()
    await tab.until([50], lambda: sizes(tab))
    await other.until([50], lambda: sizes(other))
    await tab.until(1, lambda: tab.page.locator("botyard-chat .msg.user").count())


@pytest.mark.parametrize("way", ["paste", "drop"])
async def test_a_picture_is_pasted_or_dropped(widget: Stage, context: BrowserContext, way: str) -> None:
    tab = await (await Tab.open(context, widget.page())).show()
    await tab.until(True, tab.page.get_by_role("button", name="Add a picture").is_visible)
    await tab.page.evaluate(PASTE, [base64.b64encode(png(80, 80)).decode(), way])
    await tab.until(1, tab.page.locator("botyard-chat .chip:not([data-busy])").count)


async def test_a_large_picture_is_made_small_before_it_is_sent(
    widget: Stage, context: BrowserContext
) -> None:
    tab = await (await Tab.open(context, widget.page())).show()
    await attach(tab, png(4000, 3000))
    await tab.until(1, tab.page.locator("botyard-chat .chip:not([data-busy])").count)
    ((_, picture),) = widget.host.pictures.values()
    assert int.from_bytes(picture.body[16:20], "big") == 2048


async def test_what_is_no_picture_is_told(widget: Stage, context: BrowserContext) -> None:
    tab = await (await Tab.open(context, widget.page())).show()
    await attach(tab, b"not a picture")
    notice = tab.page.locator("botyard-chat .notice")
    await tab.until("This picture cannot be read. PNG, JPEG, WebP and GIF can.", notice.inner_text)
    assert await tab.page.locator("botyard-chat .chip").count() == 0
    await attach(tab, *[png(at + 1) for at in range(5)])
    await tab.until(4, tab.page.locator("botyard-chat .chip").count)


async def test_a_strict_policy_does_not_stop_pictures(widget: Stage, context: BrowserContext) -> None:
    page = widget.page(content_security_policy=STRICT.format(url=widget.url))
    tab = await (await Tab.open(context, page)).show()
    await attach(tab, png(70, 70))
    await tab.until(1, tab.page.locator("botyard-chat .chip:not([data-busy])").count)
    await tab.say("here")
    await tab.until([70], lambda: sizes(tab))
    assert tab.errors == []


async def test_thoughts_are_folded_and_choices_say_what_they_do(
    widget: Stage, context: BrowserContext
) -> None:
    widget.host.reasoning = "<b>First</b> this, then that."
    widget.host.script["/length"] = ["Choose."]
    tab = await (await Tab.open(context, widget.page())).show()
    await tab.say("/length")
    await tab.answers("Choose.")
    thoughts = tab.page.locator("botyard-chat .think div")
    assert not await thoughts.is_visible()
    await tab.page.get_by_text("How I thought").click()
    assert await thoughts.inner_text() == "<b>First</b> this, then that."
    await tab.page.get_by_role("button", name="very long").click()
    await tab.said("/length", "/length very_long")
    assert await tab.page.locator("botyard-chat .offers").count() <= 1


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_serious_with_pictures(
    widget: Stage, context: BrowserContext, theme: str
) -> None:
    widget.host.reasoning = "First this."
    tab = await Tab.open(context, widget.page(f"<main>{widget.script(theme=theme)}</main>"))
    await tab.show()
    await attach(tab, png(200, 120))
    await tab.until(1, tab.page.locator("botyard-chat .chip:not([data-busy])").count)
    await tab.say("Look")
    await tab.until(1, tab.page.locator("botyard-chat .think").count)
    await attach(tab, png(60, 60))
    await tab.until(1, tab.page.locator("botyard-chat .chip:not([data-busy])").count)
    await tab.page.evaluate(AXE.read_text())
    await tab.page.wait_for_timeout(400)
    found = await tab.page.evaluate("axe.run('botyard-chat')")
    serious = [one["id"] for one in found["violations"] if one["impact"] in ("serious", "critical")]
    assert serious == []
