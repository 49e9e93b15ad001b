"""axe-core finds nothing serious on any page, in both languages and themes, on a desk and on a phone."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from tests.admin.panel import Panel
from tests.admin.seed import fill, limited
from tests.browser.conftest import choose, complaints, set_up

AXE = Path(__file__).with_name("axe.min.js").read_text()
PAGES = [
    "/", "/welcome", "/conversations", "/logs", "/audit", "/people", "/tokens", "/nowhere",
    "/bots", "/bots/new", "/bots/support", "/bots/sales", "/widgets", "/widgets/new", "/widgets/shop",
    "/providers", "/providers/new", "/providers/openai", "/routes", "/routes/new", "/routes/default",
    "/characters", "/characters/new", "/characters/luna", "/bases", "/bases/new", "/bases/shop",
    "/bases/shop/faq/new", "/playground", "/compare", "/usage", "/usage?days=30&outcome=failed", "/keys",
    "/limits", "/models", "/queue", "/engines", "/gallery", "/gallery/settings", "/presets", "/presets/new",
    "/media-routes", "/media-routes/new",
]  # fmt: skip
RUN = """async () => (await axe.run({resultTypes: ["violations"]})).violations
    .filter(one => ["serious", "critical"].includes(one.impact))
    .map(one => one.id + ": " + one.nodes.slice(0, 3).map(n => n.target + n.failureSummary).join("; "))"""
WIDE = "document.documentElement.scrollWidth - innerWidth"


async def problems(page: Page) -> list[str]:
    """What axe finds serious on this page."""
    await page.evaluate(AXE)
    found: list[str] = await page.evaluate(RUN)
    return found


@pytest.mark.parametrize(
    ("language", "theme", "width"),
    [("en", "light", 1280), ("ru", "dark", 390), ("en", "dark", 1280), ("ru", "light", 1280)],
)
async def test_no_page_shuts_anybody_out(
    panel: Panel, browser: Browser, language: str, theme: str, width: int
) -> None:
    context = await browser.new_context(viewport={"width": width, "height": 860}, reduced_motion="reduce")
    page = await context.new_page()
    await choose(context, panel, "en", theme)
    await page.goto(panel.url + await panel.link())
    found = {"/set-up": await problems(page)}
    await set_up(panel, page)
    await fill(panel)
    limit, key = await limited(panel)
    await choose(context, panel, language, theme)
    errors = complaints(page)
    await page.goto(panel.url + "/conversations")
    link = await page.locator("tbody a").first.get_attribute("href")
    for path in [*PAGES, link or "", f"/limits/{limit}", f"/keys/{key}"]:
        await page.goto(panel.url + path)
        found[path] = await problems(page)
        if await page.evaluate(WIDE) > 0:
            found[path].append("wider than the window")
    await page.goto(panel.url + "/bots")
    await page.keyboard.press("Control+k")
    await page.locator("#found a").first.wait_for()
    found["the palette"] = await problems(page)
    await context.close()
    assert {path: list_ for path, list_ in found.items() if list_} == {}
    assert [error for error in errors if not re.search("404|INCOMPLETE", error)] == []
