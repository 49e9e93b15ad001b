"""The media queue in a real browser."""

import re

from playwright.async_api import Page, expect

from core.jobs.order import Order, Wish
from core.jobs.submit import submit
from db import jobs
from providers.media.types import Task
from tests.admin.panel import Panel
from tests.browser.conftest import choose, set_up
from tests.browser.test_accessibility import WIDE, problems


async def test_choosing_watching_and_cancelling(panel: Panel, page: Page) -> None:
    await set_up(panel, page)
    ids = []
    for task, prompt in ((Task.TEXT_TO_IMAGE, "a harbour"), (Task.TEXT_TO_VIDEO, "waves")):
        row = await submit(panel.database, Order(Wish(task, prompt), ("engine:auto",), "api"))
        ids.append(str(row.id))
    await page.goto(panel.url + "/queue")
    await page.get_by_label("Kind").select_option("Videos")
    await expect(page.locator(".queue-job")).to_have_count(1)
    await expect(page).to_have_url(re.compile("makes=video"))
    await page.reload()
    await expect(page.locator(".queue-job")).to_have_count(1)
    await expect(page.get_by_label("Kind")).to_have_value("video")
    await page.get_by_role("link", name="All", exact=True).click()
    await page.goto(panel.url + "/queue")
    await page.get_by_role("link", name="a harbour").click()
    await expect(page).to_have_url(f"{panel.url}/queue/{ids[0]}")
    await expect(page.locator("#job")).to_contain_text("it is the next one")

    async with panel.database.transaction() as conn:
        await jobs.claim_next(conn, ["cloud"])
        await jobs.change_job(conn, ids[0], 1, fraction=0.4, provider_id="engine", model="demo")
    await expect(page.get_by_role("progressbar")).to_have_attribute("value", "0.4")
    async with panel.database.transaction() as conn:
        await jobs.change_job(conn, ids[0], 1, fraction=0.6)
    await expect(page.get_by_role("progressbar")).to_have_attribute("value", "0.6")
    async with panel.database.transaction() as conn:
        await jobs.end_job(conn, ids[0], 1, jobs.FAILED, reason="unavailable", error="it rests")
    await page.get_by_text("What was said").click()
    await expect(page.get_by_text("it rests")).to_be_visible()
    await page.get_by_role("button", name="Try again").click()
    await expect(page.get_by_text("attempt 2")).to_be_visible()
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.locator("#job .badge")).to_have_text("cancelled")

    for language, theme, width in (("en", "light", 1280), ("ru", "dark", 390)):
        await choose(page.context, panel, language, theme)
        await page.set_viewport_size({"width": width, "height": 860})
        for path in ("/queue", f"/queue/{ids[0]}", f"/queue/{ids[1]}"):
            await page.goto(panel.url + path)
            assert await problems(page) == [], path
            assert await page.evaluate(WIDE) <= 0, path
