"""A program of the control plane (web, fork server): exec'd, restarted whenever it ends, never parked."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from core.fleet.backoff import Ending
from core.fleet.child import Child, spawn
from core.fleet.logs import Log, LogLine
from core.fleet.pipes import PipeReader
from core.fleet.states import BACKOFF, DRAINING, READY, STARTING, STOPPED

FIRST_DELAY = 0.1
MOST_DELAY = 5.0
SETTLED = 30.0


@dataclass(frozen=True, slots=True)
class Command:
    """What is exec'd: `python -m module arguments`."""

    module: str
    arguments: tuple[str, ...]
    environ: Mapping[str, str]
    inherit: int | None = None


class Component:
    """One program and its restarts. `on_change` is called after each change of its state."""

    def __init__(self, name: str, log: Log, on_change: Callable[[], None]) -> None:
        self.name = name
        self.log = log
        self.state = STOPPED
        self.reason = ""
        self.since = time.time()
        self.restarts = 0
        self.child: Child | None = None
        self.on_lines: Callable[[str, list[LogLine]], None] | None = None
        self._on_change = on_change
        self._pipe: PipeReader | None = None
        self._begun = 0.0
        self._delay = FIRST_DELAY
        self._retry_at = 0.0

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self.child.pid if self.child else None

    def want(self) -> None:
        """Have it running from now on."""
        if self.state == STOPPED:
            self.become(STARTING)

    def due(self, now: float) -> bool:
        """True when it should be launched now."""
        return self.child is None and self.state in (STARTING, BACKOFF) and now >= self._retry_at

    def launch(self, command: Command) -> None:
        """Start the program."""
        read, write = os.pipe()
        self._pipe = PipeReader(read, self._lines)
        try:
            pid = spawn(command.module, command.arguments, command.environ, write, command.inherit)
        finally:
            os.close(write)
        self._begun = time.monotonic()
        self.child = Child(pid, self._exited)
        self.become(STARTING)

    def become(self, state: str, reason: str = "") -> None:
        """Change the state."""
        if (state, reason) == (self.state, self.reason):
            return
        self.state, self.reason, self.since = state, reason, time.time()
        self._on_change()

    def stop(self) -> None:
        """Ask the program to end, and do not start it again."""
        self.become(DRAINING if self.child else STOPPED)
        if self.child:
            self.child.signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the program at once; it is started again unless it was stopped before."""
        if self.child:
            self.child.signal(signal.SIGKILL)

    def status(self) -> dict[str, Any]:
        """For the panel."""
        return {
            "state": self.state, "reason": self.reason, "since": self.since, "pid": self.pid,
            "restarts": self.restarts, "log_error": self.log.broken,
        }  # fmt: skip

    def _lines(self, lines: list[str]) -> None:
        kept = self.log.add(lines)
        if self.on_lines:
            self.on_lines(self.name, kept)

    def _exited(self, code: int) -> None:
        self.child = None
        if self._pipe:
            self._pipe.close()
        if self.state == DRAINING:
            self.become(STOPPED)
            return
        now = time.monotonic()
        if self.state == READY and now - self._begun > SETTLED:
            self._delay = FIRST_DELAY
        self.restarts += 1
        self._retry_at = now + self._delay
        self._delay = min(MOST_DELAY, self._delay * 2)
        text = Ending(code, worked=True).text
        self._lines([f"WARNING supervisor: {self.name} ended: {text}"])
        self.become(BACKOFF, f"{text}: {self.log.last_error()}")
