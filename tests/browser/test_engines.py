"""The engines' room in a real browser: what refreshes itself leaves people alone."""

from pathlib import Path

from playwright.async_api import Page, expect

from tests.admin.engine_rooms import add_host
from tests.admin.panel import Panel
from tests.browser.conftest import choose, set_up
from tests.browser.test_accessibility import WIDE, problems
from tests.engine.hosts import engine_host


async def test_live_parts_keep_what_is_open_typed_and_focused(
    panel: Panel, page: Page, tmp_path: Path
) -> None:
    await set_up(panel, page)
    async with engine_host(tmp_path / "engine") as host:
        await add_host(panel, "gpu", host.url)
        await add_host(panel, "far", "http://127.0.0.1:9")
        await page.goto(panel.url + "/engines")
        row = page.locator("tr").filter(has_text="Demo painter")
        await expect(row).to_contain_text("on disk")
        programs = page.locator("#families-gpu")
        await programs.locator("summary").first.click()
        field = page.get_by_label("Repository")
        await field.fill("org/ha")
        await field.focus()
        load = row.get_by_role("button", name="Load Demo painter")
        await load.evaluate("one => { window.before = one }")

        async with page.expect_response("**/engines?part=1"):
            await host.post("/models/demo/load")
        await expect(row).to_contain_text("in memory")
        await page.keyboard.type("rbour")
        async with page.expect_response("**/engines?part=1"):
            pass
        await page.wait_for_timeout(200)
        await expect(field).to_have_value("org/harbour")
        await expect(field).to_be_focused()
        await expect(programs).to_have_attribute("open", "")
        await expect(page.locator(".mem-legend").first).to_contain_text("1Demo painter")

        for language, theme, width in (("en", "light", 1280), ("ru", "dark", 390)):
            await choose(page.context, panel, language, theme)
            await page.set_viewport_size({"width": width, "height": 860})
            await page.goto(panel.url + "/engines")
            assert await problems(page) == []
            assert await page.evaluate(WIDE) <= 0

        await choose(page.context, panel, "en", "light")
        await page.goto(panel.url + "/engines")
        await row.get_by_role("button", name="Unload").press("Enter")
        await expect(row).to_contain_text("on disk")
