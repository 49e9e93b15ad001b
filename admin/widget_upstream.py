"""Connections to widgets' processes: HTTP/1.1 over Unix sockets, with back-pressure both ways, pooled."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import httptools

MOST_IDLE = 8  # for each widget
IDLE_FOR = 30.0  # seconds; shorter than the widget's process keeps a connection
FULL = 256 * 1024  # bytes of an answer that the client has not taken yet
CONNECT_WITHIN = 5.0
HeaderList = list[tuple[bytes, bytes]]


class UpstreamLost(Exception):
    """The connection ended before the answer did."""


class Upstream(asyncio.Protocol):
    """One connection; one answer at a time is parsed into a buffer whose fill holds the sender back."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._headers: HeaderList = []
        self._pieces: list[bytes] = []
        self._size = 0
        self._status = 0
        self._ended = False
        self._lost: str | None = None
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._bodyless = False
        self._idle = False
        self.reusable = False
        self.used = False
        self.idle_since = 0.0

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Parse, and stop reading when the client is slower than the widget."""
        if self._idle:
            self._lose("an answer that nobody asked for")
            self.abort()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._lose(f"not HTTP: {error}")
            self.abort()
        if self._size > FULL and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self._lose(str(exc or "closed by the widget's process"))

    def pause_writing(self) -> None:
        """The widget's process is slower than the client."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._writable.set()

    # What the parser calls.

    def on_message_begin(self) -> None:
        """A second answer behind the whole one is nobody's: the connection ends here."""
        if self._ended:
            raise UpstreamLost("an answer that nobody asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header of the answer."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is here."""
        self._status = self._parser.get_status_code()
        if self._bodyless:
            self.on_message_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._pieces.append(body)
        self._size += len(body)

    def on_message_complete(self) -> None:
        """The answer is whole."""
        self._ended = True
        self.reusable = self._parser.should_keep_alive() and not self._bodyless

    # What an exchange calls.

    @property
    def open(self) -> bool:
        """Whether the connection stands."""
        return self._lost is None

    def write(self, data: bytes) -> None:
        """Send a part of a request. Raises UpstreamLost."""
        if self._lost is not None or self._transport is None:
            raise UpstreamLost(self._lost or "not connected")
        self._transport.write(data)

    async def drain(self) -> None:
        """Wait until more can be sent. Raises UpstreamLost."""
        await self._writable.wait()
        if self._lost is not None:
            raise UpstreamLost(self._lost)

    async def head(self, bodyless: bool) -> tuple[int, HeaderList]:
        """Status and headers of the answer. Raises UpstreamLost."""
        self._bodyless = bodyless
        while not self._status:
            await self._wait()
        return self._status, self._headers

    async def body(self) -> AsyncIterator[bytes]:
        """The pieces of the answer's body. Raises UpstreamLost when it ends too early."""
        while True:
            if self._pieces:
                piece = b"".join(self._pieces)
                self._pieces.clear()
                self._size = 0
                yield piece
                self._resume()
            elif self._ended:
                return
            else:
                await self._wait()

    def recycle(self) -> None:
        """Be ready for the next answer."""
        self._parser = httptools.HttpResponseParser(self)
        self._headers, self._pieces, self._size = [], [], 0
        self._status, self._ended, self._bodyless, self.reusable = 0, False, False, False
        self._news.clear()
        self.used, self._idle, self.idle_since = True, True, time.monotonic()

    def wake(self) -> None:
        """Serve again."""
        self._idle = False

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    async def _wait(self) -> None:
        if self._lost is not None:
            raise UpstreamLost(self._lost)
        self._news.clear()
        await self._news.wait()

    def _lose(self, why: str) -> None:
        if self._lost is None:
            self._lost = why
        self._news.set()
        self._writable.set()


class ConnectionPool:
    """Idle connections by socket, the latest first."""

    def __init__(self) -> None:
        self._idle: dict[Path, list[Upstream]] = {}

    async def take(self, path: Path) -> Upstream:
        """An idle connection, or a new one. Raises OSError."""
        idle = self._idle.get(path, [])
        while idle:
            upstream = idle.pop()
            if upstream.open and time.monotonic() - upstream.idle_since < IDLE_FOR:
                upstream.wake()
                return upstream
            upstream.abort()
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(CONNECT_WITHIN):
            _, upstream = await loop.create_unix_connection(Upstream, str(path))
        return upstream

    def give_back(self, path: Path, upstream: Upstream, complete: bool) -> None:
        """Keep a connection whose exchange is complete, close any other."""
        idle = self._idle.setdefault(path, [])
        if complete and upstream.open and len(idle) < MOST_IDLE:
            upstream.recycle()
            idle.append(upstream)
        else:
            upstream.abort()
            if not idle:
                del self._idle[path]

    def close(self) -> None:
        """Close all."""
        for idle in self._idle.values():
            for upstream in idle:
                upstream.abort()
        self._idle.clear()
