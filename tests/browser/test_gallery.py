"""The gallery and the presets as people use them, in a real browser."""

from pathlib import Path

from playwright.async_api import Page, expect

from core.media.store import Store
from tests.admin.panel import Panel
from tests.browser.conftest import choose, set_up
from tests.browser.test_accessibility import WIDE, problems
from tests.core.media.made import job, kept, picture, video

PLAYS = "one => !one.paused && one.readyState > 1 && one.videoWidth"


async def test_looking_for_what_was_made(panel: Panel, page: Page, tmp_path: Path) -> None:
    await set_up(panel, page)
    store = Store("", panel.home / "media")
    for number in range(50):
        await kept(panel.database, store, picture(tmp_path / "a.png"), prompt=f"Boat {number}")
    clip = job(request={"task": "text_to_video", "prompt": "A fjord, slowly"}, task="text_to_video")
    film = await kept(panel.database, store, video(tmp_path / "a.mp4"), clip)
    adult = await kept(panel.database, store, picture(tmp_path / "b.png"), prompt="Veiled", rating="adult")

    await page.goto(panel.url + "/gallery")
    tiles = page.locator(".gal-tile")
    await expect(tiles).to_have_count(48)
    await expect(tiles.nth(2).get_by_role("img")).to_have_attribute("alt", "Boat 49")
    await expect(tiles.nth(2).locator("img")).to_have_js_property("complete", True)
    assert await tiles.nth(2).locator("img").evaluate("one => one.naturalWidth") == 96
    await page.locator(".gal-more a").scroll_into_view_if_needed()
    await expect(tiles).to_have_count(52)

    await tiles.nth(1).scroll_into_view_if_needed()
    await tiles.nth(1).hover()
    playing = tiles.nth(1).locator("video")
    await expect(playing).to_be_visible()
    assert (
        await playing.evaluate("one => new Promise(done => setTimeout(() => done(one.videoWidth), 200))")
        == 96
    )
    await page.mouse.move(5, 5)
    await expect(playing).to_have_count(0)

    veiled = tiles.nth(0)
    assert "blur" in await veiled.locator("img").evaluate("one => getComputedStyle(one).filter")
    await veiled.get_by_role("button", name="Adult: show").press("Enter")
    assert "blur" not in await veiled.locator("img").evaluate("one => getComputedStyle(one).filter")

    await page.get_by_label("Prompt").fill("fjord slow")
    await page.get_by_label("Prompt").press("Enter")
    await expect(tiles).to_have_count(1)
    await tiles.first.get_by_role("link").press("Enter")
    await expect(page).to_have_url(f"{panel.url}/gallery/{film}")
    large = page.locator("figure video")
    await large.evaluate("one => { one.muted = true; return one.play() }")
    assert await large.evaluate(PLAYS)

    for language, theme, width in (("en", "light", 1280), ("ru", "dark", 390)):
        await choose(page.context, panel, language, theme)
        await page.set_viewport_size({"width": width, "height": 860})
        for path in ("/gallery", f"/gallery/{film}", f"/gallery/{adult}", "/gallery/settings", "/presets"):
            await page.goto(panel.url + path)
            assert await problems(page) == [], path
            assert await page.evaluate(WIDE) <= 0, path


async def test_a_preset_is_copied_and_what_is_wrong_stands_beside_its_field(panel: Panel, page: Page) -> None:
    await set_up(panel, page)
    await page.goto(panel.url + "/presets")
    await page.get_by_role("link", name="Copy Z-Image Turbo").click()
    await page.get_by_label("Steps: Value").fill("30")
    await page.get_by_label("Further parameters").fill("shift = 3\nnonsense")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_text("Needs lines such as shift = 3, not nonsense = ?")).to_be_visible()
    await page.get_by_label("Further parameters").fill("shift = 3")
    await page.get_by_role("button", name="Create").click()
    wrong = page.get_by_label("Steps: Value")
    await expect(wrong).to_have_attribute("aria-invalid", "true")
    await expect(wrong).to_have_accessible_description("Must be from 4 to 20")
    assert await problems(page) == []
    await wrong.fill("8")
    await page.get_by_role("button", name="Create").click()
    await expect(page).to_have_url(panel.url + "/presets/z-image-turbo")
    await expect(page.get_by_label("Further parameters")).to_have_value("shift = 3")
    await page.goto(panel.url + "/presets")
    await expect(page.locator("tr").filter(has_text="Z-Image Turbo")).to_contain_text("steps 8")
