"""What a machine's memory is made of, who holds what of it, and whom to evict for more."""

import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

HOLD = 10.0  # seconds after a use in which a model is not evicted: its user may say more


@dataclass(slots=True)
class Pool:
    """One device, or the host's RAM. `external` is what others hold; `measured` all that is used; `visible`
    is how CUDA_VISIBLE_DEVICES names a GPU."""

    name: str
    kind: str
    total: int
    external: int = 0
    measured: int | None = None
    visible: str = ""

    def look(self, alone: bool) -> None:
        """Measure `external` anew, where that can be done. `alone` tells that no model of ours is on it."""


@dataclass(slots=True)
class Holding:
    """What one model holds: `device` bytes on each of `devices` (their places in the ledger), and `host`
    bytes of RAM. `evict` frees all of it; `cost` is the seconds of loading it again."""

    model: str
    device: int
    host: int
    devices: tuple[int, ...] = (0,)
    evict: Callable[[], Coroutine[Any, Any, bool]] | None = None
    pinned: bool = False
    in_use: int = 0
    used_at: float = field(default_factory=time.monotonic)
    since: float = field(default_factory=time.time)
    cost: float = 10.0

    def on(self, place: int) -> int:
        """Bytes on one device."""
        return self.device if place in self.devices else 0

    @property
    def worth(self) -> float:
        """Who is worth the least goes first: the longest unused and the cheapest to load again."""
        return self.used_at + self.cost

    def idle(self, moment: float, hold: float = HOLD) -> bool:
        """Whether it may be evicted now."""
        return bool(self.evict) and not self.pinned and not self.in_use and moment - self.used_at >= hold


def victims(idle: Sequence[Holding], devices: Mapping[int, int], host: int) -> list[Holding] | None:
    """Whom of the idle to evict for so many missing bytes on devices and in RAM: the longest unused and
    cheapest to load first, and none that need not go. None when all of them would not do."""
    ordered = sorted(idle, key=lambda one: (one.worth, -one.device))
    chosen: list[Holding] = []
    for one in ordered:
        if _enough(chosen, devices, host):
            break
        short = [place for place, size in devices.items() if sum(other.on(place) for other in chosen) < size]
        if any(one.on(place) for place in short) or (one.host and sum(c.host for c in chosen) < host):
            chosen.append(one)
    if not _enough(chosen, devices, host):
        return None
    for one in reversed(list(chosen)):
        fewer = [other for other in chosen if other is not one]
        if _enough(fewer, devices, host):
            chosen = fewer
    return chosen


def _enough(chosen: Sequence[Holding], devices: Mapping[int, int], host: int) -> bool:
    freed = all(sum(one.on(place) for one in chosen) >= size for place, size in devices.items())
    return freed and sum(one.host for one in chosen) >= host
