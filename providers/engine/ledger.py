"""The memory ledger: who holds how much of each device and of the host's RAM, and who makes room for whom.

Room is asked for by peak, before anything is loaded. The whole eviction is planned first: what cannot fit is
refused at once with numbers, and nothing is unloaded for it in vain.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from providers.engine.text.memory import NoRoom

HOLD = 10.0  # seconds after a use in which a model is not evicted: its user may say more
PATIENCE = 30.0  # seconds after which who waits goes before those who use what is loaded
LOOK_EVERY = 2.0  # seconds between looks at what others hold
MOST_HISTORY = 200


@dataclass(slots=True)
class Pool:
    """One device, or the host's RAM. `external` is what others hold; `measured` all that is used."""

    name: str
    kind: str
    total: int
    external: int = 0
    measured: int | None = None

    def look(self, alone: bool) -> None:
        """Measure `external` anew, where that can be done. `alone` tells that no model is held at all."""


@dataclass(slots=True)
class Holding:
    """What one model holds. `evict` frees all of it; `cost` is the seconds of loading it again."""

    model: str
    device: int
    host: int
    devices: int
    evict: Callable[[], Awaitable[bool]] | None = None
    pinned: bool = False
    in_use: int = 0
    used_at: float = field(default_factory=time.monotonic)
    since: float = field(default_factory=time.time)
    cost: float = 10.0

    def idle(self, moment: float, hold: float = HOLD) -> bool:
        """Whether it may be evicted now."""
        return bool(self.evict) and not self.pinned and not self.in_use and moment - self.used_at >= hold


class Lease:
    """Room that one model holds; implements providers.engine.text.memory.MemoryLease."""

    def __init__(self, ledger: "Ledger", holding: Holding) -> None:
        self.holding = holding
        self._ledger = ledger

    async def adjust(self, device: int, host: int, wait: bool = True) -> None:
        """Hold so much from now on. Raises NoRoom."""
        await self._ledger.adjust(self.holding, device, host, wait)

    async def release(self) -> None:
        """Nothing of the model is left."""
        self._ledger.release(self.holding)


@dataclass(frozen=True, slots=True)
class Waiter:
    """Somebody who waits for room."""

    ticket: int
    model: str
    since: float = field(default_factory=time.monotonic)


class Ledger:
    """All pools of one machine. `devices` are alike; `hold` is the time after a use without eviction."""

    def __init__(self, devices: Sequence[Pool], host: Pool, margin: int = 0, hold: float = HOLD) -> None:
        self.devices = list(devices)
        self.host = host
        self.history: list[dict[str, Any]] = []
        self.patience = PATIENCE
        self._margin = margin
        self._hold = hold
        self._holdings: list[Holding] = []
        self._changed = asyncio.Condition()
        self._tickets = itertools.count()
        self._queue: list[Waiter] = []
        self._looked_at = 0.0

    @property
    def device_total(self) -> int:
        """Bytes that one device has."""
        return self.devices[0].total

    @property
    def holdings(self) -> list[Holding]:
        """Who holds room now."""
        return list(self._holdings)

    @property
    def waiting(self) -> list[str]:
        """The models that wait for room, the first one first."""
        return [one.model for one in self._queue]

    def overdue(self, model: str) -> bool:
        """Whether another model has waited so long that this one should let it go before."""
        first = self._queue[0] if self._queue else None
        return first is not None and first.model != model and time.monotonic() - first.since > self.patience

    async def served(self, model: str) -> None:
        """Until nobody is overdue whom this model should let go before."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self.overdue(model))

    def free(self) -> tuple[int, int]:
        """Bytes free on the fullest device, and in RAM."""
        device, host = self.capacity()
        return (
            device - sum(one.device for one in self._holdings),
            host - sum(one.host for one in self._holdings),
        )

    def capacity(self) -> tuple[int, int]:
        """Bytes of the fullest device, and of RAM, that models may have at all."""
        device = min(pool.total - pool.external for pool in self.devices) - self._margin
        return device, self.host.total - self.host.external

    async def reserve(self, model: str, device: int, host: int = 0, devices: int = 1) -> Lease:
        """Wait, in order, until there is room, evicting others. Raises NoRoom at once for what never fits."""
        self._look()
        self.check(device, host)
        waiter = Waiter(next(self._tickets), model)
        self._queue.append(waiter)
        try:
            while True:
                if self._queue[0] == waiter and await self._make_room(device, host, None):
                    holding = Holding(model, device, host, devices)
                    self._holdings.append(holding)
                    self.note("reserved", model, device)
                    return Lease(self, holding)
                self._look()
                self.check(device, host)
                await self._wait()
        finally:
            self._queue.remove(waiter)
            await self._tell()

    async def adjust(self, holding: Holding, device: int, host: int, wait: bool) -> None:
        """Let a holding be larger or smaller."""
        while True:
            more = (max(device - holding.device, 0), max(host - holding.host, 0))
            if not any(more) or await self._make_room(*more, holding if wait else None, evict=wait):
                break
            if not wait:
                raise NoRoom(max(more), max(self.free()))
            self.check(device, host, (holding,))
            await self._wait()
        holding.device, holding.host = device, host
        await self._tell()

    def release(self, holding: Holding) -> None:
        """Forget a holding."""
        if holding in self._holdings:
            self._holdings.remove(holding)
            self.note("released", holding.model, holding.device)
            asyncio.get_running_loop().create_task(self._tell())

    async def held(self, pids: Sequence[int]) -> int | None:
        """Bytes that processes hold on the devices; None where it cannot be told."""
        return None

    def note(self, event: str, model: str, size: int, why: str = "") -> None:
        """Write into the history that operators see."""
        entry = {"at": time.time(), "event": event, "model": model, "bytes": size, "why": why}
        self.history = [*self.history[-MOST_HISTORY + 1 :], entry]

    def check(self, device: int, host: int, without: Sequence[Holding] = ()) -> None:
        """Raise NoRoom when not even evicting everything that may be evicted would do."""
        held_by = tuple(one.model for one in self._fixed(without))
        for need, size in zip((device, host), self.most(without), strict=True):
            if need > size:
                raise NoRoom(need, size, held_by, forever=True)

    def most(self, without: Sequence[Holding] = ()) -> tuple[int, int]:
        """Bytes of a device, and of RAM, that one model could have when all others made room."""
        device, host = self.capacity()
        fixed = self._fixed(without)
        return (
            max(device - sum(one.device for one in fixed), 0),
            max(host - sum(one.host for one in fixed), 0),
        )

    def _fixed(self, without: Sequence[Holding]) -> list[Holding]:
        return [one for one in self._holdings if one.pinned and one not in without]

    async def _make_room(self, device: int, host: int, own: Holding | None, evict: bool = True) -> bool:
        """Whether there is room now, after evicting the whole of a plan that makes it."""
        free_device, free_host = self.free()
        if _fits(device, host, free_device, free_host):
            return True
        missing = (device and device - free_device, host and host - free_host)
        victims = self.plan(*missing, own) if evict else None
        if not victims:
            return False
        for victim in victims:
            self.note("evicted", victim.model, victim.device, "room was needed")
            if victim.evict and not await victim.evict():
                return False
        return _fits(device, host, *self.free())

    def plan(self, device: int, host: int, own: Holding | None = None) -> list[Holding] | None:
        """The idle holdings to evict for so many missing bytes: longest unused and cheapest to load first,
        and none that need not go. None when they would not do."""
        moment = time.monotonic()
        waited = self._queue and moment - self._queue[0].since > self.patience
        hold = 0.0 if waited else self._hold
        idle = [one for one in self._holdings if one is not own and one.idle(moment, hold)]
        idle.sort(key=lambda one: (one.used_at + one.cost, -one.device))
        chosen: list[Holding] = []
        for one in idle:
            if device <= 0 and host <= 0:
                break
            if (device > 0 and one.device) or (host > 0 and one.host):
                chosen.append(one)
                device -= one.device
                host -= one.host
        if device > 0 or host > 0:
            return None
        for one in reversed(list(chosen)):
            if device + one.device <= 0 and host + one.host <= 0:
                chosen.remove(one)
                device += one.device
                host += one.host
        return chosen

    def _look(self) -> None:
        """Measure what others hold, now and then."""
        moment = time.monotonic()
        if moment - self._looked_at >= LOOK_EVERY:
            self._looked_at = moment
            for pool in (*self.devices, self.host):
                pool.look(not self._holdings)

    async def _wait(self) -> None:
        """Until something changes; looked at again by itself, for holds that run out."""
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait(), 0.25)
            except TimeoutError:
                return

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _fits(device: int, host: int, free_device: int, free_host: int) -> bool:
    """What is not needed fits everywhere: even where others took more than there is."""
    return device <= max(free_device, 0) and host <= max(free_host, 0)
