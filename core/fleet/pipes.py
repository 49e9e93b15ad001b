"""The pipe from a process's stdout and stderr to its log; a full one never blocks the process."""

import asyncio
import io
import logging
import os
import sys
from collections.abc import Callable

CHUNK = 64 * 1024
CHUNKS_LEFT = 32
LONGEST_PART = 64 * 1024
FORMAT = "%(levelname)s %(name)s: %(message)s"


class LossyStream(io.TextIOBase):
    """A text stream over a descriptor that drops what does not fit at once."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)

    def writable(self) -> bool:
        """Yes."""
        return True

    def fileno(self) -> int:
        """The descriptor, for faulthandler and child processes."""
        return self._descriptor

    def write(self, text: str) -> int:
        """Write or drop; never waits and never raises for a full or closed pipe."""
        try:
            os.write(self._descriptor, text.encode("utf-8", "backslashreplace"))
        except (BlockingIOError, BrokenPipeError):
            return len(text)
        return len(text)


def use_lossy_output(level: int = logging.INFO) -> None:
    """Make stdout, stderr and logging of this process lossy (descriptors 1 and 2 are the pipe)."""
    sys.stdout = LossyStream(1)
    sys.stderr = LossyStream(2)
    logging.basicConfig(stream=sys.stderr, level=level, format=FORMAT, force=True)


class PipeReader:
    """Reads the orchestrator's end and hands over whole lines, until the last writer is gone."""

    def __init__(self, descriptor: int, on_lines: Callable[[list[str]], None]) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._on_lines = on_lines
        self._part = b""
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(descriptor, self._readable)

    def close(self) -> None:
        """Read what is left, then close."""
        if self._descriptor < 0:
            return
        for _ in range(CHUNKS_LEFT):  # a grandchild may go on writing for ever
            if not self._readable():
                break
        self._end()

    def _end(self) -> None:
        if self._descriptor < 0:
            return
        self._loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = -1
        if self._part:
            self._on_lines([_text(self._part)])
            self._part = b""

    def _readable(self) -> bool:
        if self._descriptor < 0:
            return False
        try:
            data = os.read(self._descriptor, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self._end()
            return False
        *lines, self._part = (self._part + data).split(b"\n")
        if len(self._part) > LONGEST_PART:
            lines.append(self._part)
            self._part = b""
        self._on_lines([_text(line) for line in lines])
        return True


def _text(line: bytes) -> str:
    """A line without control characters: a log is shown in terminals."""
    text = line.decode("utf-8", "replace").rstrip()
    return "".join(
        sign if sign.isprintable() or sign == "\t" else "\N{REPLACEMENT CHARACTER}" for sign in text
    )
