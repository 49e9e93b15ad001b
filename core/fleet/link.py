"""A child's line to the orchestrator: its end of a socket pair, one JSON object a line."""

import asyncio
import socket
from collections import deque
from typing import Any

from core.fleet.lines import BadLine, LineSocket, decode

MOST_WAITING = 1000


class LinkClosed(Exception):
    """The other end is gone."""


class Link:
    """What a channel hears from the orchestrator and tells it; `open` it inside the running loop.

    From the orchestrator: start, wake, secrets, drain, dump. To it: hello, state, beat, event.
    The orchestrator takes `state` and `reason` from a beat too, so that a dropped state message heals.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._waiting: deque[dict[str, Any]] = deque()
        self._arrived = asyncio.Event()
        self._closed = ""
        self._lines: LineSocket | None = None

    async def open(self) -> None:
        """Start to read and write."""
        self._lines = LineSocket(socket.socket(fileno=self.fd), self._line, self._gone)

    def send(self, message: dict[str, Any]) -> None:
        """Tell the orchestrator; never blocks: dropped when it does not read or the link is not open."""
        if self._lines:
            self._lines.send(message)

    async def receive(self) -> dict[str, Any]:
        """The next message; raises LinkClosed when there will be none. Safe to cancel."""
        while not self._waiting:
            if self._closed:
                raise LinkClosed(self._closed)
            self._arrived.clear()
            await self._arrived.wait()
        message = self._waiting.popleft()
        if self._lines and len(self._waiting) == MOST_WAITING - 1:
            self._lines.resume()
        return message

    async def close(self) -> None:
        """Close this end."""
        if self._lines:
            self._lines.close()
        self._gone("closed")

    def _line(self, line: bytes) -> None:
        try:
            self._waiting.append(decode(line))
        except BadLine as error:
            self._gone(str(error))
            return
        if self._lines and len(self._waiting) == MOST_WAITING:
            self._lines.pause()
        self._arrived.set()

    def _gone(self, reason: str) -> None:
        self._closed = self._closed or reason
        self._arrived.set()
