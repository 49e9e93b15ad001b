"""The requests that an engine has in flight, and the door that lets them in."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from providers.engine.text.model import EngineBusy


class Places:
    """So many places. While `closed` nobody new comes in."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self.closed = False
        self.used = time.time()
        self._empty = asyncio.Event()
        self._empty.set()

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        """One place. Raises EngineBusy when there is none."""
        if self.closed:
            raise EngineBusy("the engine is being put aside")
        if self.taken >= self.most:
            raise EngineBusy(f"{self.taken} requests are under way")
        self.taken += 1
        self._empty.clear()
        try:
            yield
        finally:
            self.taken -= 1
            self.used = time.time()
            if not self.taken:
                self._empty.set()

    async def empty(self) -> None:
        """Until nobody is in."""
        await self._empty.wait()
