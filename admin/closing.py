"""What stands in front of the web process's application ends with it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette


def on_close(app: Starlette, close: Callable[[], Awaitable[None]]) -> None:
    """Call this when the application's own lifespan has ended."""
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(running: Any) -> AsyncIterator[Any]:
        async with inner(running) as state:
            try:
                yield state
            finally:
                await close()

    app.router.lifespan_context = lifespan
