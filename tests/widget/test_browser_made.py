"""What the bot made, in a real browser: clips within a page's policy, and jobs that outlive pages."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext

from core.channel import JobView
from core.media.store import Store
from core.messages import Media, OutboundMessage
from tests.core.media.made import job, kept, video
from tests.core.pictures import png
from tests.widget.browser import Tab, chromium
from tests.widget.stage import Stage, staged
from tests.widget.test_browser import STRICT

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
    context = await browser.new_context(locale="en-GB", reduced_motion="reduce")
    yield context
    await context.close()


async def visitor_of(tab: Tab) -> str:
    """The id of a page's visitor, once there is one."""
    find = "Object.entries(localStorage).find(([key]) => key.endsWith(':visitor'))?.[1] ?? 'null'"
    async with asyncio.timeout(15):
        while not (visitor := json.loads(await tab.page.evaluate(find))):
            await asyncio.sleep(0.05)
    return str(visitor["id"])


class Work:
    """A job of one visitor: its rows and events, as the host would have them."""

    def __init__(self, widget: Stage, visitor: str) -> None:
        self.host, self.visitor = widget.host, visitor
        self.row = {
            "id": "m1", "role": "assistant", "text": "I am drawing it.", "status": "working", "source": "job",
            "source_id": "j1", "created_at": time.time(), "attachments": [],
        }  # fmt: skip

    async def begin(self) -> "Work":
        self.host.rows.setdefault(self.visitor, []).append(self.row)
        message = OutboundMessage(self.visitor, "I am drawing it.", "m1", status="working", job="j1")
        await self.host.send(message)
        return self

    async def at(self, share: float) -> None:
        assert self.host.channel is not None
        words = f"I am drawing it.\n▰▰▱▱ {share:.0%} · about 20 s left"
        await self.host.channel.progress(JobView("j1", "m1", self.visitor, "m1", words, share))

    async def end(self, *media: Media, text: str = "Here it is.", status: str = "final") -> None:
        kept = [{"kind": one.kind, "ref": f"artifact:{one.artifact}"} for one in media]
        self.row |= {"text": text, "status": status, "attachments": kept}
        message = OutboundMessage(self.visitor, text, "m1", status=status, media=media, edits="m1")
        await self.host.send(replace(message, buttons=() if media else (("retry", "again:j1"),)))


async def clip(widget: Stage, folder: Path, visitor: str) -> Media:
    path = video(folder / "a.mp4", seconds=3)
    store = Store("", folder / "media")
    row = job(channel_id=widget.host.row_id, chat_key=visitor)
    made = await kept(widget.database, store, path, row)
    return Media(made, "", "video/mp4", 96, 64, path.stat().st_size, 3.0)


def picture(widget: Stage, visitor: str) -> Media:
    widget.host.made_files["a1"] = (visitor, png(64, 48), "image/png")
    return Media("a1", "", "image/png", 64, 48)


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_clip_plays_where_a_page_allows_it_and_opens_in_a_tab_elsewhere(
    widget: Stage, context: BrowserContext, tmp_path: Path, allowed: bool
) -> None:
    policy = STRICT.format(url=widget.url) + (f"; media-src {widget.url}" if allowed else "")
    tab = await (await Tab.open(context, widget.page(content_security_policy=policy))).show()
    visitor = await visitor_of(tab)
    work = await Work(widget, visitor).begin()
    spans = []
    tab.page.on("response", lambda one: "/media/" in one.url and spans.append(one.status))
    await work.end(await clip(widget, tmp_path, visitor), text="Here is the video.")
    player = tab.page.locator("botyard-chat video")
    if allowed:
        await player.wait_for(state="visible")
        await tab.until(True, lambda: player.evaluate("one => one.duration > 2"))
        await player.evaluate("one => (one.currentTime = 2)")
        await tab.until(True, lambda: player.evaluate("one => !one.seeking && one.currentTime >= 2"))
        assert set(spans) == {206} and tab.errors == []
        return
    link = tab.page.locator("botyard-chat .made a", has_text="Video")
    await link.wait_for(state="visible")
    async with context.expect_page() as opened:
        await link.click()
    shown = await opened.value
    await tab.until(True, lambda: shown.locator("video").evaluate("one => one.duration > 2"))


async def test_a_job_outlives_a_reload_and_a_second_tab_sees_it(
    widget: Stage, context: BrowserContext
) -> None:
    url = widget.page()
    tab = await (await Tab.open(context, url)).show()
    visitor = await visitor_of(tab)
    work = await Work(widget, visitor).begin()
    await work.at(0.4)
    bar = tab.page.locator("botyard-chat progress")
    await tab.until(0.4, lambda: bar.evaluate("one => one.value"))
    await tab.page.reload()
    await tab.panel.wait_for(state="visible")
    await bar.wait_for(state="visible")
    other = await (await Tab.open(context, url)).show()
    await work.at(0.6)
    for one in (tab, other):
        found = one.page.locator("botyard-chat progress")
        await one.until(0.6, lambda found=found: found.evaluate("one => one.value"))
    await work.end(picture(widget, visitor))
    for one in (tab, other):
        await one.until(1, one.page.locator("botyard-chat .made canvas[role=img]").count)
        await one.until(0, one.page.locator("botyard-chat progress").count)


async def test_who_left_finds_the_result_on_return(widget: Stage, context: BrowserContext) -> None:
    url = widget.page()
    tab = await (await Tab.open(context, url)).show()
    visitor = await visitor_of(tab)
    work = await Work(widget, visitor).begin()
    await tab.page.locator("botyard-chat progress").wait_for(state="visible")
    await tab.page.close()
    await work.end(picture(widget, visitor))
    back = await Tab.open(context, url)
    if not await back.panel.is_visible():
        await back.show()
    await back.until(1, back.page.locator("botyard-chat .made canvas[role=img]").count)
    await back.answers("Here it is.")


async def test_a_job_ends_while_the_network_is_away(widget: Stage, context: BrowserContext) -> None:
    tab = await (await Tab.open(context, widget.page())).show()
    visitor = await visitor_of(tab)
    work = await Work(widget, visitor).begin()
    await tab.page.locator("botyard-chat progress").wait_for(state="visible")
    await context.set_offline(True)
    await widget.kill_channel()
    await widget.start_channel()
    await work.end(picture(widget, visitor))
    await context.set_offline(False)
    await tab.until(1, tab.page.locator("botyard-chat .made canvas[role=img]").count, 30)
    await tab.until(0, tab.page.locator("botyard-chat progress").count)


async def test_cancel_is_pressed_once_and_said_to_nobody(widget: Stage, context: BrowserContext) -> None:
    tab = await (await Tab.open(context, widget.page())).show()
    visitor = await visitor_of(tab)
    work = await Work(widget, visitor).begin()
    button = tab.page.get_by_role("button", name="Cancel")
    await button.click()
    assert await button.is_disabled()
    await work.end(text="Cancelled.", status="failed")
    await tab.until(0, tab.page.locator("botyard-chat progress").count)
    assert [one.raw for one in widget.host.seen.values() if '"/cancel j1"' in one.raw]
    assert await tab.texts("user") == []


async def test_what_is_not_kept_any_more_is_told(widget: Stage, context: BrowserContext) -> None:
    tab = await (await Tab.open(context, widget.page())).show()
    visitor = await visitor_of(tab)
    work = await Work(widget, visitor).begin()
    await work.end(Media("gone", "", "image/png"), Media("gone too", "", "video/mp4"))
    notes = tab.page.locator("botyard-chat .made .gone")
    await tab.until(["This picture is not kept any more."] * 2, notes.all_inner_texts)


async def test_progress_is_said_aloud_now_and_then(widget: Stage, context: BrowserContext) -> None:
    tab = await Tab.open(context, "about:blank")
    await tab.page.clock.install()
    await tab.page.goto(widget.page())
    await tab.show()
    visitor = await visitor_of(tab)
    work = await Work(widget, visitor).begin()
    await tab.page.locator("botyard-chat progress").wait_for(state="visible")
    watch = """() => { window.aloud = []; const said = document.querySelector("botyard-chat").shadowRoot
      .querySelector("[role=status]"); new MutationObserver(() => aloud.push(said.textContent))
      .observe(said, {childList: true, characterData: true, subtree: true}); }"""
    await tab.page.evaluate(watch)
    line = tab.page.locator("botyard-chat .job .note")
    for share in (0.26, 0.3, 0.55):  # a quarter, too soon after the beginning
        await work.at(share)
        await tab.until(f"{share:.0%} · about 20 s left", line.inner_text)
    assert await tab.page.evaluate("aloud") == []
    await tab.page.clock.fast_forward(11_000)
    for share in (0.6, 0.62, 0.8):
        await work.at(share)
        await tab.until(f"{share:.0%} · about 20 s left", line.inner_text)
    assert await tab.page.evaluate("aloud") == ["60% · about 20 s left"]
