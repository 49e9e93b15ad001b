"""The answer's way to the client, and an eye on the client while it takes."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from starlette.types import Receive, Send

from admin.gateway.http import NOSNIFF, ClientGone, Header

LOOK_EVERY = 5.0  # seconds between looks at a client that is being answered
QUIET = 5.0  # seconds without a byte after which a started stream says that it is alive
STUCK = 60.0  # seconds that a client may take to read what is sent
ALIVE = b": keep-alive\n\n"
STREAM = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store"),
          (b"x-accel-buffering", b"no"), NOSNIFF]  # fmt: skip


class Outlet:
    """Sends one response, in pieces; it knows how far that is."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._sent_at = 0.0
        self._sending_since = 0.0
        self.started = False
        self.ended = False

    async def send(self, message: Any) -> None:
        """Any message of ASGI; the other methods end here."""
        self.started = True
        self._sent_at = self._sending_since = self._loop.time()
        await self._send(message)
        self._sending_since = 0.0
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.ended = True

    async def start_stream(self, headers: Sequence[Header]) -> None:
        """The head of a stream of events."""
        await self.send({"type": "http.response.start", "status": 200, "headers": [*STREAM, *headers]})

    async def write(self, body: bytes) -> None:
        """A piece of a stream."""
        await self.send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self) -> None:
        """The end of a stream."""
        await self.send({"type": "http.response.body", "body": b""})

    @property
    def stuck(self) -> bool:
        """Whether the client takes nothing any more."""
        return bool(self._sending_since) and self._loop.time() - self._sending_since > STUCK

    async def keep_alive(self) -> None:
        """Say that a quiet stream is alive."""
        quiet = self._loop.time() - self._sent_at > QUIET
        if self.started and not self.ended and not self._sending_since and quiet:
            with suppress(TimeoutError):  # `stuck` finds it out
                async with asyncio.timeout(LOOK_EVERY):
                    await self.write(ALIVE)


async def attended(answering: asyncio.Task[None], receive: Receive, outlet: Outlet) -> None:
    """Wait for an answer's end; cancelled when the client leaves or takes nothing. Raises ClientGone."""
    leaving = asyncio.create_task(_left(receive))
    try:
        while not answering.done():
            await asyncio.wait({answering, leaving}, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
            if outlet.ended:
                await asyncio.wait({answering})
            elif not answering.done():
                if leaving.done() or outlet.stuck:
                    raise ClientGone
                await outlet.keep_alive()
        answering.result()
    finally:
        answering.cancel()
        leaving.cancel()
        await asyncio.gather(answering, leaving, return_exceptions=True)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
