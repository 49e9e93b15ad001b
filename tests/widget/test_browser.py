import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext

from tests.widget.browser import Tab, chromium
from tests.widget.stage import SLUG, Stage, staged

PIECES = [f"piece {number}\n\n" if number % 10 == 9 else f"piece {number} " for number in range(200)]
WHOLE = "".join(PIECES).strip()
AXE = Path(__file__).resolve().parent.parent / "browser" / "axe.min.js"
HOSTILE = "<style>*{all:unset!important}body *{font-size:1px!important;position:static!important}</style>"
STRICT = (
    "default-src 'none'; script-src {url}; connect-src {url}; img-src data:; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


pytestmark = pytest.mark.asyncio(loop_scope="module")  # so that one browser serves all of them


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


def words(text: str) -> str:
    return " ".join(text.split())


async def test_a_message_is_answered_as_it_is_written(widget: Stage, context: BrowserContext) -> None:
    widget.host.script["Tell me"] = PIECES
    widget.host.hold = asyncio.Event()
    tab = await Tab.open(context, widget.page())
    await tab.show()
    assert await tab.page.evaluate("document.activeElement.shadowRoot.activeElement.tagName") == "TEXTAREA"
    await tab.say("Tell me")
    await tab.until("answering", tab.busy)
    await tab.until(True, lambda: tab.page.locator("botyard-chat .msg[data-status=streaming]").is_visible())
    widget.host.hold.set()
    await tab.until([words(WHOLE)], lambda: normalised(tab))
    status = tab.page.locator("botyard-chat [role=status]")
    assert words(await status.inner_text()) == words(WHOLE)
    assert tab.errors == []


async def normalised(tab: Tab) -> list[str]:
    return [words(text) for text in await tab.texts()]


async def test_dropped_connections_lose_and_double_nothing(widget: Stage, context: BrowserContext) -> None:
    widget.host.script["go"] = PIECES
    widget.host.pace = 0.01
    widget.faults.drop_every = 5
    tab = await (await Tab.open(context, widget.page())).show()
    await tab.say("go")
    await tab.until([words(WHOLE)], lambda: normalised(tab), 30)
    assert widget.faults.streams > 3


async def test_refused_posts_are_sent_again_once_and_in_order(widget: Stage, context: BrowserContext) -> None:
    tab = await (await Tab.open(context, widget.page())).show()
    await tab.say("zero")
    await tab.answers("You said: zero")
    widget.faults.refuse_posts = 2
    await tab.say("one")
    await tab.say("two")
    await tab.answers("You said: zero", "You said: one", "You said: two")
    await tab.said("zero", "one", "two")
    assert len(widget.host.seen) == 3 and len(widget.faults.posts) == 5


async def test_messages_written_offline_are_sent_later(widget: Stage, context: BrowserContext) -> None:
    tab = await (await Tab.open(context, widget.page())).show()
    await context.set_offline(True)
    await tab.say("one")
    await tab.say("two")
    waiting = tab.page.locator("botyard-chat .msg[data-status=waiting]")
    await tab.until(2, waiting.count)
    await context.set_offline(False)
    await tab.answers("You said: one", "You said: two")
    assert len(widget.host.seen) == 2


async def test_hostile_css_and_a_strict_policy(widget: Stage, context: BrowserContext) -> None:
    url = widget.page(head=HOSTILE)
    tab = await (await Tab.open(context, url)).show()
    box = await tab.panel.bounding_box()
    assert box is not None and box["width"] > 350 and box["height"] > 400
    assert await tab.panel.evaluate("node => getComputedStyle(node).fontSize") == "15px"
    policy = STRICT.format(url=widget.url)
    script = f'<script src="{widget.url}/w/{SLUG}.js" defer></script>'
    url = widget.page(
        script, head='<base href="https://elsewhere.example/deep/">', content_security_policy=policy
    )
    strict = await (await Tab.open(context, url)).show()
    await strict.say("**hi**")
    await strict.answers("You said: hi")
    assert tab.errors == strict.errors == []


async def test_the_script_twice_is_one_launcher(widget: Stage, context: BrowserContext) -> None:
    tab = await Tab.open(context, widget.page(widget.script() * 2 + widget.script(theme="dark")))
    await tab.launcher.first.wait_for()
    assert await tab.page.locator("botyard-chat").count() == 1
    assert tab.errors == []


async def test_a_reload_shows_the_same_and_goes_on(widget: Stage, context: BrowserContext) -> None:
    widget.host.script["go"] = PIECES
    widget.host.hold = asyncio.Event()
    tab = await (await Tab.open(context, widget.page())).show()
    await tab.say("go")
    streaming = tab.page.locator("botyard-chat .msg[data-status=streaming] .text")
    await tab.until(True, streaming.is_visible)
    await tab.page.reload()
    await tab.panel.wait_for(state="visible")  # it was open before
    await tab.said("go")
    await tab.until(True, streaming.is_visible)
    widget.host.hold.set()
    await tab.until([words(WHOLE)], lambda: normalised(tab))
    await tab.page.reload()
    await tab.until([words(WHOLE)], lambda: normalised(tab))
    await tab.said("go")


async def test_two_tabs_show_the_same_over_one_stream(widget: Stage, context: BrowserContext) -> None:
    widget.host.script["go"] = PIECES
    widget.host.hold = asyncio.Event()
    url = widget.page()
    one = await (await Tab.open(context, url)).show()
    two = await (await Tab.open(context, url)).show()
    await one.say("go")
    await two.said("go")
    await two.until("answering", two.busy)
    widget.host.hold.set()
    for tab in (one, two):
        await tab.until([words(WHOLE)], lambda tab=tab: normalised(tab))  # type: ignore[misc]
    assert widget.faults.streams == 1
    await one.page.close()
    await two.say("more")
    await two.until("You said: more", lambda: last(two))
    assert widget.faults.streams == 2
    await two.page.get_by_role("button", name="New conversation").click()
    await two.answers("A new conversation has begun.")


async def last(tab: Tab) -> str:
    return ([""] + await tab.texts())[-1]


async def test_stop_in_one_tab_stops_both(widget: Stage, context: BrowserContext) -> None:
    widget.host.script["go"] = PIECES
    widget.host.hold = asyncio.Event()
    url = widget.page()
    one = await (await Tab.open(context, url)).show()
    two = await (await Tab.open(context, url)).show()
    await one.say("go")
    await two.until("answering", two.busy)
    await two.page.get_by_role("button", name="Stop the answer").click()
    for tab in (one, two):
        await tab.until(None, tab.busy)
        assert await tab.page.locator("botyard-chat .msg[data-status=stopped]").count() == 1
    assert words(WHOLE).startswith((await normalised(one))[0])


async def test_a_process_that_dies_mid_answer(widget: Stage, context: BrowserContext) -> None:
    widget.host.script["go"] = PIECES
    tab = await (await Tab.open(context, widget.page())).show()
    await tab.say("go")
    await tab.until(
        True, lambda: tab.page.locator("botyard-chat .msg[data-status=streaming] .text").is_visible()
    )
    await widget.kill_channel()
    await asyncio.sleep(0.5)
    await widget.start_channel()
    await tab.until([words(WHOLE)], lambda: normalised(tab), 25)
    await tab.said("go")


async def test_a_failed_answer_can_be_tried_again(widget: Stage, context: BrowserContext) -> None:
    widget.host.script |= {"go": ["FAIL"], "/retry": ["Better now."]}
    tab = await (await Tab.open(context, widget.page())).show()
    await tab.say("go")
    await tab.page.get_by_role("button", name="Try again").click()
    await tab.answers("Better now.")
    await tab.said("go")
    await tab.say("x" * 16_000)
    assert len((await tab.texts("user"))[-1]) == 16_000


CORPUS = """\
<img src=x onerror="window.hit=1"> <script>window.hit=1</script> <svg/onload="window.hit=1">

[a](javascript:window.hit=1) [b](JaVaScRiPt:window.hit=1) [c]( javascript:window.hit=1) [d](data:text/html,x)
[e](vbscript:x) [f](//evil.example/x) [g](/relative) [h](https://good.example/a_(b)) [i](java\tscript:x)
[j](https://good.example/?q="onmouseover=window.hit=1)
![pixel](https://tracker.example/p.gif)
![](data:image/svg+xml,x)

![k](javascript:window.hit=1) https://raw.example/page).
<a href="javascript:window.hit=1">l</a> [m](mailto:a@b.example)

[never closed](https://x.example/
and the text goes on

| a | b |
|---|---|
| 1 | <b onclick="window.hit=1">2</b> |

```html
<script>window.hit=1</script>
```

- [x] done
1. one

> quoted `<iframe srcdoc="x">` **bold** ~~gone~~
"""
ALLOWED = {
    "P", "H3", "H4", "H5", "A", "EM", "STRONG", "S", "CODE", "PRE", "UL", "OL", "LI", "BLOCKQUOTE", "BR",
    "HR", "TABLE", "THEAD", "TBODY", "TR", "TH", "TD", "DIV", "INPUT", "SPAN",
}  # fmt: skip


async def test_nothing_in_an_answer_can_do_harm(widget: Stage, context: BrowserContext) -> None:
    widget.host.script["go"] = [CORPUS[at : at + 7] for at in range(0, len(CORPUS), 7)]
    requests: list[str] = []
    tab = await (await Tab.open(context, widget.page())).show()
    tab.page.on("request", lambda request: requests.append(request.url))
    await tab.say("go")
    await tab.until(None, tab.busy)
    await tab.until(1, tab.page.locator("botyard-chat .msg.assistant[data-status=final]").count)
    text = tab.page.locator("botyard-chat .msg.assistant[data-status=final] .text")
    tags = await text.evaluate("node => [...node.querySelectorAll('*')].map((one) => one.tagName)")
    assert set(tags) <= ALLOWED and "TABLE" in tags and "PRE" in tags
    links = await text.evaluate(
        "node => [...node.querySelectorAll('[href],[src]')]"
        ".map((a) => [a.textContent, a.getAttribute('href'), a.rel, a.target])"
    )
    urls = [link[1] for link in links]
    assert all(url.startswith(("https://", "mailto:")) for url in urls)
    assert {"https://good.example/a_(b)", "https://tracker.example/p.gif", "https://raw.example/page"} <= set(
        urls
    )
    assert all("noopener" in link[2] and link[3] == "_blank" for link in links)
    names = await text.evaluate(
        "node => [...node.querySelectorAll('*')].flatMap((one) => one.getAttributeNames())"
    )
    assert not [name for name in names if name.startswith("on") or name in ("style", "srcdoc", "src")]
    assert await tab.page.evaluate("window.hit") is None
    assert not [url for url in requests if "127.0.0.1" not in url]
    assert "and the text goes on" in await text.inner_text()
    assert tab.errors == []


async def test_the_keyboard_is_enough(widget: Stage, context: BrowserContext) -> None:
    keys = "<script></script><p tabindex=0>before</p>"
    tab = await Tab.open(context, widget.page(keys + widget.script()))
    await tab.launcher.wait_for()
    await tab.launcher.focus()
    await tab.page.keyboard.press("Enter")
    await tab.panel.wait_for(state="visible")
    await tab.page.wait_for_function(
        "document.activeElement.shadowRoot?.activeElement?.tagName === 'TEXTAREA'"
    )
    await tab.page.keyboard.type("first")
    await tab.page.keyboard.press("Shift+Enter")
    await tab.page.keyboard.type("second")
    await tab.page.keyboard.press("Enter")
    await tab.said("first\nsecond")
    await tab.page.keyboard.press("Escape")
    assert not await tab.panel.is_visible()
    focused = await tab.page.evaluate("document.activeElement.shadowRoot.activeElement.className")
    assert focused == "launcher"
    assert await tab.launcher.get_attribute("aria-expanded") == "false"


async def test_a_foreign_page_gets_no_widget(widget: Stage, context: BrowserContext) -> None:
    path = widget.page().removeprefix(widget.site)
    tab = Tab(await context.new_page())
    await tab.page.clock.install()
    async with tab.page.expect_console_message(lambda message: "Botyard" in message.text, timeout=20_000):
        await tab.page.goto(widget.foreign + path)
        for _ in range(8):
            await tab.page.clock.run_for(20_000)
            await asyncio.sleep(0.1)
    assert await tab.page.locator("botyard-chat").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ru"])
async def test_axe_finds_nothing_serious(
    widget: Stage, context: BrowserContext, theme: str, language: str
) -> None:
    widget.host.script["go"] = ["# Title\n\nA [link](https://a.example) and `code`.\n\n| a |\n|---|\n| 1 |\n"]
    tab = await Tab.open(context, widget.page(f"<main>{widget.script(theme=theme, lang=language)}</main>"))
    await tab.show()
    await tab.say("go")
    await tab.until(1, tab.page.locator("botyard-chat .msg[data-status=final]").count)
    await tab.page.evaluate(AXE.read_text())
    await asyncio.sleep(0.4)  # the last bubble's fade would be measured as poor contrast
    found = await tab.page.evaluate("axe.run('botyard-chat')")
    serious = [
        (one["id"], [node["html"] for node in one["nodes"]])
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []


async def test_the_demo_page_asks_the_widget(widget: Stage, context: BrowserContext) -> None:
    tab = await Tab.open(context, f"{widget.url}/demo?widget={SLUG}")
    await tab.launcher.wait_for()
    question = tab.page.locator(".demo-question").first
    text = await question.inner_text()
    await question.click()
    await tab.said(text)
    await tab.answers(f"You said: {text}")
    assert await tab.page.locator("botyard-chat[data-dark]").count() == 0
    await tab.page.locator("[data-theme-toggle]").click()
    assert await tab.page.locator("botyard-chat[data-dark]").count() == 1
    assert tab.errors == []


async def test_a_phone_gets_the_whole_screen(widget: Stage, browser: Browser) -> None:
    context = await browser.new_context(
        viewport={"width": 390, "height": 700}, has_touch=True, locale="ru-RU", reduced_motion="reduce"
    )
    tab = await (await Tab.open(context, widget.page())).show()
    assert await tab.panel.bounding_box() == {"x": 0, "y": 0, "width": 390, "height": 700}
    assert not await tab.launcher.is_visible()
    small = (
        "node => [...node.querySelectorAll('button, textarea')].map((one) => one.getBoundingClientRect())"
        ".filter((box) => box.width < 44 || box.height < 44).length"
    )
    async with asyncio.timeout(5):  # the panel may still be growing to its place
        while await tab.panel.evaluate(small):
            await asyncio.sleep(0.05)
    await tab.page.get_by_role("button", name="Закрыть чат").click()
    assert await tab.launcher.is_visible()
    await context.close()
