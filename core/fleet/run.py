"""One life of a channel process, from the fork to the exit."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.fleet.child import Child
from core.fleet.forks import Forks, ForkServerGone
from core.fleet.health import Pulse
from core.fleet.lines import BadLine, LineSocket, decode
from core.fleet.pipes import PipeReader


@dataclass(frozen=True, slots=True)
class RunEvents:
    """Whom a run tells: `on_end` gets the exit code, or None when no process came to be."""

    on_message: Callable[[dict[str, Any]], None]
    on_lines: Callable[[list[str]], None]
    on_started: Callable[[], None]
    on_end: Callable[[int | None], None]


class Run:
    """A process with its link, its output and its pulse. `asked` says why we ended it, if we did."""

    def __init__(self, events: RunEvents) -> None:
        self.begun = time.monotonic()
        self.pulse = Pulse(self.begun)
        self.ready_at: float | None = None
        self.worked = False
        self.asked = ""
        self.drain_by: float | None = None
        self.dump_asked: float | None = None
        self.child: Child | None = None
        self._events = events
        read, self._output = os.pipe()
        try:
            ours, self._theirs = socket.socketpair()
        except OSError:
            os.close(read)
            os.close(self._output)
            raise
        self._link = LineSocket(ours, self._line, lambda _reason: None)
        self._pipe = PipeReader(read, events.on_lines)
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process, once it is known."""
        return self.child.pid if self.child else None

    def fork(self, forks: Forks, kind: str, name: str) -> None:
        """Have the process forked."""
        future = forks.fork(kind, name, [self._theirs.fileno(), self._output])
        self._theirs.close()  # the request holds copies
        os.close(self._output)
        self._task = asyncio.create_task(self._await_pid(future))

    def send(self, message: dict[str, Any]) -> bool:
        """Tell the process; False when it does not read."""
        return self._link.send(message)

    def drain(self, why: str, seconds: float) -> None:
        """Ask it to finish and exit; it is killed when it takes longer."""
        if not self.asked:
            self.asked = why
            self.drain_by = time.monotonic() + seconds
            self.send({"t": "drain"})

    def dump(self) -> None:
        """Have it write its stacks into its log."""
        self.dump_asked = time.monotonic()
        self.send({"t": "dump"})
        if self.child:
            self.child.signal(signal.SIGUSR2)

    def kill(self, why: str = "") -> None:
        """End it at once."""
        self.asked = self.asked or why
        if self.child:
            self.child.signal(signal.SIGKILL)

    async def _await_pid(self, future: "asyncio.Future[int]") -> None:
        try:
            pid = await future
        except ForkServerGone:
            self._finish(None)
            return
        self.begun = self.pulse.at = time.monotonic()
        self.child = Child(pid, self._finish)
        self._events.on_started()

    def _line(self, line: bytes) -> None:
        try:
            self._events.on_message(decode(line))
        except BadLine as error:
            self._events.on_lines([f"WARNING supervisor: a line on the link is {error}"])

    def _finish(self, code: int | None) -> None:
        self._link.finish()
        self._pipe.close()
        self._events.on_end(code)
