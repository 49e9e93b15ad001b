"""When a process that ended starts again: a pure decision from how it ended."""

import random
import signal
from collections import deque
from dataclasses import dataclass, field

from core.fleet.states import Timing

MOST_FOREIGN_KILLS = 20


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended. `code` is negative for a signal; `worked`: it was READY and served."""

    code: int
    worked: bool
    hung: bool = False

    @property
    def text(self) -> str:
        """For people."""
        if self.hung:
            return "it did not answer and was killed"
        if self.code < 0:
            return f"killed by {signal.Signals(-self.code).name}"
        return f"exit code {self.code}"


@dataclass(slots=True)
class Failures:
    """The recent ends of one process. `after` answers in how many seconds it starts again; None parks it."""

    timing: Timing
    early: deque[float] = field(default_factory=deque)
    crashes: deque[float] = field(default_factory=deque)
    kills: deque[float] = field(default_factory=deque)

    def after(self, ending: Ending, now: float) -> float | None:
        """Count an end in and decide."""
        if ending.code == -signal.SIGKILL and not ending.hung:
            # Somebody else killed it: no fault of its own, unless it goes on and on (out of memory).
            return self._repeated(self.kills, now, MOST_FOREIGN_KILLS)
        if not ending.worked:
            return self._backed_off(now)
        self.early.clear()
        delay = self._repeated(self.crashes, now, self.timing.most_crashes)
        return 0.0 if ending.hung and delay is not None else delay

    def clear(self) -> None:
        """Forget: somebody changed the configuration or asked for a start."""
        for history in (self.early, self.crashes, self.kills):
            history.clear()

    def _backed_off(self, now: float) -> float | None:
        if self._count(self.early, now) >= self.timing.most_failures:
            return None
        delay: float = self.timing.restart * 2.0 ** (len(self.early) - 1)
        return min(self.timing.backoff_most, delay * random.uniform(0.8, 1.2))

    def _repeated(self, history: deque[float], now: float, most: int) -> float | None:
        return None if self._count(history, now) >= most else self.timing.restart

    def _count(self, history: deque[float], now: float) -> int:
        history.append(now)
        while history and history[0] < now - self.timing.window:
            history.popleft()
        return len(history)
