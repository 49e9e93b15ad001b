"""Whether a running channel is alive: a pure decision from its heartbeats."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from core.fleet.states import Timing


class Health(Enum):
    """What the heartbeats say."""

    WELL = "well"
    SILENT = "silent"
    DEAF = "deaf"


@dataclass(slots=True)
class Pulse:
    """The last heartbeat and when it came (monotonic seconds)."""

    at: float
    lag_ms: float = 0.0
    queue: int = 0
    last_poll_age: float | None = None
    messages_in: int = 0
    messages_out: int = 0
    errors: int = 0

    def take(self, beat: dict[str, Any], now: float) -> None:
        """Take a beat in; what is no number is left out, a child is not trusted to be well."""
        self.at = now
        self.lag_ms = _number(beat.get("lag_ms"), self.lag_ms)
        self.queue = int(_number(beat.get("queue"), self.queue))
        age = beat.get("last_poll_age")
        self.last_poll_age = None if age is None else _number(age, 0.0)
        self.messages_in = int(_number(beat.get("messages_in"), self.messages_in))
        self.messages_out = int(_number(beat.get("messages_out"), self.messages_out))
        self.errors = int(_number(beat.get("errors"), self.errors))

    def judge(self, now: float, timing: Timing, deaf_after: float) -> Health:
        """`deaf_after`: seconds without a finished poll, 0 for kinds that do not poll."""
        if now - self.at > timing.silent:
            return Health.SILENT
        if deaf_after and self.last_poll_age is not None and self.last_poll_age > deaf_after:
            return Health.DEAF
        return Health.WELL


def _number(value: object, default: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e15 < value < 1e15:
        return default
    return float(value)
