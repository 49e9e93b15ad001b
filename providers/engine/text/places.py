"""The requests that an engine has in flight, and the door that lets them in."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from providers.engine.text.model import EngineBusy

PATIENCE = 30.0  # seconds that a request waits before a closed door


class Places:
    """So many places. While the door is closed the engine is being put aside, and who comes waits before it;
    those count as well. `changed` is called when a place is taken or left."""

    def __init__(self, most: int, changed: Callable[[], None]) -> None:
        self.most = most
        self.taken = 0
        self.used = time.time()
        self._changed = changed
        self._before = 0
        self._empty = asyncio.Event()
        self._open = asyncio.Event()
        self._empty.set()
        self._open.set()

    def shut(self, closed: bool) -> None:
        """Close or open the door."""
        (self._open.clear if closed else self._open.set)()

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """One place. Raises EngineBusy when there is none."""
        if self.taken + self._before >= self.most:
            raise EngineBusy(f"{self.taken + self._before} requests are under way")
        if not self._open.is_set():
            await self._wait()
        self.taken += 1
        self._empty.clear()
        self._changed()
        try:
            yield
        finally:
            self.taken -= 1
            self.used = time.time()
            self._changed()
            if not self.taken:
                self._empty.set()

    async def empty(self) -> None:
        """Until nobody is in."""
        await self._empty.wait()

    async def _wait(self) -> None:
        """Before the door. It may have closed again by the time one's turn comes."""
        self._before += 1
        try:
            async with asyncio.timeout(PATIENCE):
                while not self._open.is_set():
                    await self._open.wait()
        except TimeoutError as error:
            raise EngineBusy("the engine is being put aside") from error
        finally:
            self._before -= 1
