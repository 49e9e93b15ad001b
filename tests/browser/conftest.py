"""A headless Chromium for the panel's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.admin.panel import PASSWORD, Panel, running_panel

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
CHROMIUM = "/usr/bin/chromium"


@pytest.fixture
async def panel(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Panel]:
    """A running panel without an owner."""
    async with running_panel(tmp_path, sqlite_template) as panel:
        yield panel


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """A browser of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser) -> AsyncIterator[Page]:
    """An English page on a desk; what it complains about fails the test."""
    context = await browser.new_context(viewport={"width": 1280, "height": 860}, locale="en-US")
    page = await context.new_page()
    errors = complaints(page)
    yield page
    await context.close()
    assert errors == []


def complaints(page: Page) -> list[str]:
    """A list that fills with what the page's console complains about."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    expected = ("status of 422", "ERR_INCOMPLETE_CHUNKED_ENCODING")
    page.on(
        "console",
        lambda said: (
            found.append(said.text)
            if said.type == "error" and not any(part in said.text for part in expected)
            else None
        ),
    )
    return found


async def set_up(panel: Panel, page: Page) -> None:
    """Make the owner in the browser."""
    await page.goto(panel.url + await panel.link())
    await page.get_by_label("Login").fill("Anna")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_label("Password again").fill(PASSWORD)
    await page.get_by_role("button", name="Make the owner").click()
    await page.wait_for_url("**/welcome*")


async def choose(context: BrowserContext, panel: Panel, language: str, theme: str) -> None:
    """Set the reader's language and theme."""
    values = {"language": language, "theme": theme}
    await context.add_cookies(
        [{"name": name, "value": value, "url": panel.url} for name, value in values.items()]
    )
