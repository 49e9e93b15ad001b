"""How often a stream's pieces leave: at once, but not oftener than a screen is painted.

Each write costs the kernel more than making the chunk costs us. A model that writes faster than sixty chunks
a second has its chunks sent together, none of them later than a sixtieth of a second.
"""

import asyncio
from collections.abc import Awaitable, Callable

FRAME = 1 / 60  # seconds


class Pace:
    """Calls `flush` when there is something to send and the last time is a frame ago."""

    def __init__(self, flush: Callable[[], Awaitable[None]]) -> None:
        self._flush = flush
        self._loop = asyncio.get_running_loop()
        self._free_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._late: asyncio.Task[None] | None = None

    async def waiting(self) -> None:
        """The stream is about to wait for more: send now, or when the frame is over."""
        now = self._loop.time()
        if self._late is not None:
            await self.settled()
        if now >= self._free_at:
            self._free_at = now + FRAME
            await self._flush()
        elif self._timer is None:
            self._timer = self._loop.call_at(self._free_at, self._due)

    async def settled(self) -> None:
        """No timer is left, and what it began is done."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        late, self._late = self._late, None
        if late is not None:
            await late

    def stop(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._late is not None and not self._late.cancel() and not self._late.cancelled():
            self._late.exception()  # the client is gone: whoever reads the stream is told by other means

    def _due(self) -> None:
        self._timer = None
        self._free_at = self._loop.time() + FRAME
        self._late = self._loop.create_task(self._send())

    async def _send(self) -> None:
        await self._flush()
