"""Media routes in the panel and over REST, and which ones an instance uses."""

import asyncio
import re

from core.routing.book import FRESH_FOR
from db.providers import save_provider
from db.settings import bump_config
from tests.admin.panel import Panel
from tests.core.configuration_fixtures import TOKEN, configuration_of


async def with_engine(panel: Panel) -> None:
    async with panel.database.transaction() as conn:
        await save_provider(
            conn, "engine", kind="engine", name="e", base_url="http://127.0.0.1:9/v1", config={},
            enabled=True, managed="",
        )  # fmt: skip


async def test_a_media_route_is_made_changed_and_deleted(owned: Panel) -> None:
    await with_engine(owned)
    assert "No media route yet" in (await owned.client.get("/media-routes")).text
    form = {"id": "images", "name": "Art", "makes": "image", "candidates": "nobody:x\nengine:auto"}
    refused = await owned.post("/media-routes/new", form)
    assert refused.status_code == 422 and "nobody" in refused.text
    form["candidates"] = "engine:demo\nengine:auto"
    assert (await owned.post("/media-routes/new", form)).status_code == 303
    page = (await owned.client.get("/media-routes")).text
    assert "Art" in page and page.index("engine:demo") < page.index("engine:auto")
    changed = {**form, "candidates": "auto", "blocked_words": "acme\nbrand", "moderation_url": ""}
    assert (await owned.post("/media-routes/images", changed)).status_code == 303
    row = await configuration_of(owned.database).media_routes.get("images")
    assert (row.candidates, row.blocked_words, row.moderation_url) == (["auto"], ["acme", "brand"], None)
    assert (
        await owned.post("/media-routes/images", {**changed, "moderation_url": "ftp://x"})
    ).status_code == 422
    assert (await owned.post("/media-routes/images/delete", {})).status_code == 303
    assert "No media route yet" in (await owned.client.get("/media-routes")).text


async def test_lines_that_will_make_nothing_are_told(owned: Panel) -> None:
    await with_engine(owned)
    async with owned.database.transaction() as conn:
        for name, kind, enabled in (("flux", "bfl", True), ("off", "bfl", False)):
            await save_provider(
                conn, name, kind=kind, name=name, base_url=None, config={}, enabled=enabled, managed=""
            )
        await bump_config(conn)
    await asyncio.sleep(FRESH_FOR + 0.1)
    lines = ["flux:flux-2-prp", "flux:flux-2-pro", "off:auto", "engine:whatever", "auto"]
    await owned.post("/media-routes/new", {"id": "art", "makes": "image", "candidates": "\n".join(lines)})
    page = (await owned.client.get("/media-routes/art")).text
    told = re.findall(r'<li><span class="mono">([^<]*)</span>: ([^<]*)', page)
    assert [(line, words.strip()) for line, words in told] == [
        ("flux:flux-2-prp", "This provider does not name such a model. There are:"),
        ("off:auto", "This provider is switched off."),
    ]
    assert "flux:flux-2-pro" in page.split("There are:")[1][:80]
    await owned.post("/media-routes/art", {"makes": "video", "candidates": "flux:flux-2-pro\nflux:auto"})
    assert (await owned.client.get("/media-routes/art")).text.count("It makes no videos.") == 2


async def test_a_bot_may_draw_by_another_route_or_not_at_all(owned: Panel) -> None:
    await with_engine(owned)
    await owned.post("/media-routes/new", {"id": "art", "makes": "image", "candidates": "engine:auto"})
    await owned.post("/bots/new", {"id": "shop", "token": TOKEN, "image_route": "art", "video_route": "off"})
    bot = await configuration_of(owned.database).bots.get("shop")
    assert (bot.image_route, bot.video_route) == ("art", "off")
    page = (await owned.client.get("/bots/shop")).text
    assert '<option value="art" selected>' in page and '<option value="off" selected>' in page
    await owned.post("/bots/shop", {"image_route": "", "video_route": ""})
    bot = await configuration_of(owned.database).bots.get("shop")
    assert (bot.image_route, bot.video_route) == (None, None)
