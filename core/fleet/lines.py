"""JSON lines over a socket: bounded in both directions, and sending never blocks."""

import asyncio
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MAX_LINE = 256 * 1024
MAX_UNSENT = 1024 * 1024
CHUNK = 64 * 1024


class BadLine(Exception):
    """A line that is no JSON object."""


def encode(message: dict[str, Any]) -> bytes:
    """A message as one line; ASCII, so that a lone surrogate in it does no harm."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """The inverse of `encode`; raises BadLine."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadLine("not JSON") from error
    if not isinstance(message, dict):
        raise BadLine("not a JSON object")
    return message


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a line may be that comes in, and how many bytes may wait to go out."""

    line: int = MAX_LINE
    unsent: int = MAX_UNSENT


class LineSocket:
    """A connected stream socket on the running loop that carries lines.

    `on_line` is called for each line that comes in, `on_close` once with the reason when the other end
    went away, broke a limit or failed; it is not called after `close`.
    """

    def __init__(
        self,
        sock: socket.socket,
        on_line: Callable[[bytes], None],
        on_close: Callable[[str], None],
        limits: Limits = Limits(),
    ) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.dropped = 0
        self._on_line = on_line
        self._on_close = on_close
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._incoming = bytearray()
        self._unsent = bytearray()
        self._closed = False
        self._loop.add_reader(sock, self._readable)

    def send(self, message: dict[str, Any]) -> bool:
        """Send or keep for later; False when it was dropped because the other end does not read."""
        data = encode(message)
        if self._closed or len(self._unsent) + len(data) > self._limits.unsent:
            self.dropped += 1
            return False
        waiting = bool(self._unsent)
        self._unsent += data
        if not waiting:
            self._writable()
        return True

    @property
    def unsent(self) -> int:
        """Bytes that wait for the other end to read."""
        return len(self._unsent)

    def pause(self) -> None:
        """Stop reading: the other end's lines wait in the socket."""
        self._loop.remove_reader(self.sock)

    def resume(self) -> None:
        """Read again."""
        if not self._closed:
            self._loop.add_reader(self.sock, self._readable)

    def finish(self) -> None:
        """Take in what the other end sent before it died, then close."""
        while not self._closed and self._readable():
            continue
        self.close()

    def close(self) -> None:
        """Close at once; unsent lines are lost."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self.sock)
        self._loop.remove_writer(self.sock)
        self.sock.close()

    def _readable(self) -> bool:
        try:
            data = self.sock.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            self._fail(str(error))
            return False
        if not data:
            self._fail("closed by the other end")
            return False
        self._incoming += data
        self._split()
        return True

    def _split(self) -> None:
        while not self._closed and (end := self._incoming.find(b"\n")) >= 0:
            line = bytes(self._incoming[:end])
            del self._incoming[: end + 1]
            if len(line) > self._limits.line:
                self._fail("a line is too long")
            elif line.strip():
                self._on_line(line)
        if len(self._incoming) > self._limits.line:
            self._fail("a line is too long")

    def _writable(self) -> None:
        try:
            sent = self.sock.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._fail(str(error))
            return
        del self._unsent[:sent]
        if self._unsent:
            self._loop.add_writer(self.sock, self._writable)
        else:
            self._loop.remove_writer(self.sock)

    def _fail(self, reason: str) -> None:
        if not self._closed:
            self.close()
            self._loop.call_soon(self._on_close, reason)
