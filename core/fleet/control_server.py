"""The orchestrator's end of the control socket: answers its own user's processes and nobody else."""

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from core.fleet.lines import BadLine, Limits, LineSocket, decode

MOST_CLIENTS = 64
LIMITS = Limits(line=256 * 1024, unsent=16 * 1024 * 1024)
MOST_UNSENT_EVENTS = 1024 * 1024
Operation = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
logger = logging.getLogger(__name__)


class Refused(Exception):
    """A request that cannot be served; its text goes back to who asked."""


class ControlServer:
    """Serves `operations` (by name) on a Unix socket of mode 0600, and publishes events."""

    def __init__(self, path: Path, operations: Mapping[str, Operation]) -> None:
        self.path = path
        self._operations = operations
        self._clients: set[_Client] = set()
        self._listener: socket.socket | None = None

    def open(self) -> None:
        """Bind and listen; a socket that a killed orchestrator left is replaced."""
        self.path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.setblocking(False)
        before = os.umask(0o177)
        try:
            listener.bind(str(self.path))
        finally:
            os.umask(before)
        listener.listen(64)
        self._listener = listener
        asyncio.get_running_loop().add_reader(listener, self._accept)

    def publish(self, event: dict[str, Any]) -> None:
        """Send an event to all who asked for them; whoever does not read misses some."""
        for client in self._clients:
            if client.wants_events:
                client.publish(event)

    def close(self) -> None:
        """Stop serving and remove the socket."""
        if self._listener is None:
            return
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        self._listener = None
        for client in list(self._clients):
            client.close()
        self.path.unlink(missing_ok=True)

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            sock, _ = self._listener.accept()
        except OSError as error:
            logger.warning("control socket: %s", error)
            return
        if peer_uid(sock) != os.geteuid() or len(self._clients) >= MOST_CLIENTS:
            logger.warning("control socket: a connection of user %s was refused", peer_uid(sock))
            sock.close()
            return
        self._clients.add(_Client(sock, self._operations, self._clients.discard))


class _Client:
    def __init__(
        self, sock: socket.socket, operations: Mapping[str, Operation], gone: Callable[["_Client"], None]
    ) -> None:
        self.wants_events = False
        self._operations = operations
        self._gone = gone
        self._tasks: set[asyncio.Task[None]] = set()
        self._lines = LineSocket(sock, self._line, self._closed, LIMITS)

    def publish(self, event: dict[str, Any]) -> None:
        if self._lines.unsent < MOST_UNSENT_EVENTS:
            self._lines.send({"event": event})

    def close(self) -> None:
        self._lines.close()
        self._closed("closed")

    def _closed(self, _reason: str) -> None:
        for task in self._tasks:
            task.cancel()
        self._gone(self)

    def _line(self, line: bytes) -> None:
        try:
            message = decode(line)
        except BadLine as error:
            self._answer(None, error=str(error))
            return
        number, name = message.get("id"), message.get("op")
        if name == "events":
            self.wants_events = True
            self._answer(number, result={})
        elif isinstance(name, str) and name in self._operations:
            task = asyncio.create_task(self._serve(number, name, message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        else:
            self._answer(number, error="unknown operation")

    async def _serve(self, number: Any, name: str, message: dict[str, Any]) -> None:
        try:
            result = await self._operations[name](message)
        except Refused as error:
            self._answer(number, error=str(error))
        except Exception:  # an edge: one bad request must not end supervision
            logger.exception("control request %s failed", name)
            self._answer(number, error="the request failed; see the orchestrator's log")
        else:
            self._answer(number, result=result)

    def _answer(self, number: Any, **reply: Any) -> None:
        if not self._lines.send({"id": number, **reply}):
            self.close()


def peer_uid(sock: socket.socket) -> int:
    """The user at the other end of a Unix socket."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)
