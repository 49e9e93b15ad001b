"""Headless Chromium, and a page with the widget in it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, async_playwright

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser that is gone afterwards."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


class Tab:
    """A page with the widget; `errors` is what its console complained about."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        page.on(
            "console",
            lambda message: message.type in ("error", "warning") and self.errors.append(message.text),
        )
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def complained(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(message.text)

    @classmethod
    async def open(cls, context: BrowserContext, url: str) -> "Tab":
        tab = cls(await context.new_page())
        await tab.page.goto(url)
        return tab

    @property
    def launcher(self) -> Locator:
        return self.page.locator("botyard-chat .launcher")

    @property
    def panel(self) -> Locator:
        return self.page.locator("botyard-chat .panel")

    async def show(self) -> "Tab":
        await self.launcher.click()
        await self.panel.wait_for(state="visible")
        return self

    async def say(self, text: str) -> None:
        await self.page.locator("botyard-chat textarea").fill(text)
        await self.page.keyboard.press("Enter")

    async def texts(self, role: str = "assistant") -> list[str]:
        found = self.page.locator(f"botyard-chat .msg.{role}:not(.dots):not([data-status=greeting]) .text")
        return [text.strip() for text in await found.all_inner_texts()]

    async def until(self, expected: Any, look: Callable[[], Any], seconds: float = 15) -> None:
        """Wait until `look` returns what is expected."""
        seen = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (seen := await look()) != expected:
                    await asyncio.sleep(0.05)
        assert seen == expected, self.errors

    async def answers(self, *expected: str, seconds: float = 15) -> None:
        await self.until(list(expected), self.texts, seconds)
        await self.until(None, self.busy, seconds)

    async def said(self, *expected: str) -> None:
        await self.until(list(expected), lambda: self.texts("user"))

    async def busy(self) -> str | None:
        return await self.page.locator("botyard-chat .go").evaluate(
            "node => node.classList.contains('stop') ? 'answering' : null"
        )
