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
MOST_HISTORY = 200


@dataclass(slots=True)
class Pool:
    """One device, or the host's RAM. `external` is what others hold, as measured."""

    name: str
    kind: str
    total: int
    external: int = 0


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

    def idle(self, moment: float) -> bool:
        """Whether it may be evicted now."""
        return bool(self.evict) and not self.pinned and not self.in_use and moment - self.used_at >= HOLD


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


class Ledger:
    """All pools of one machine. `devices` are alike; `hold` is the time after a use without eviction."""

    def __init__(self, devices: Sequence[Pool], host: Pool, margin: int = 0, hold: float = HOLD) -> None:
        self.devices = list(devices)
        self.host = host
        self.history: list[dict[str, Any]] = []
        self.waiting: list[str] = []
        self._margin = margin
        self._hold = hold
        self._holdings: list[Holding] = []
        self._changed = asyncio.Condition()
        self._tickets = itertools.count()
        self._queue: list[int] = []

    @property
    def device_total(self) -> int:
        """Bytes that one device has."""
        return self.devices[0].total

    @property
    def holdings(self) -> list[Holding]:
        """Who holds room now."""
        return list(self._holdings)

    def free(self) -> tuple[int, int]:
        """Bytes free on the fullest device, and in RAM."""
        device = min(pool.total - pool.external for pool in self.devices) - self._margin
        return (
            device - sum(one.device for one in self._holdings),
            self.host.total - self.host.external - sum(one.host for one in self._holdings),
        )

    async def reserve(self, model: str, device: int, host: int = 0, devices: int = 1) -> Lease:
        """Wait, in order, until there is room, evicting others. Raises NoRoom at once for what never fits."""
        self._refuse_impossible(device, host, ())
        ticket = next(self._tickets)
        self._queue.append(ticket)
        self.waiting.append(model)
        try:
            while True:
                if self._queue[0] == ticket and await self._make_room(device, host, None):
                    holding = Holding(model, device, host, devices)
                    self._holdings.append(holding)
                    self.note("reserved", model, device)
                    return Lease(self, holding)
                self._refuse_impossible(device, host, ())
                await self._wait()
        finally:
            self._queue.remove(ticket)
            self.waiting.remove(model)
            await self._tell()

    async def adjust(self, holding: Holding, device: int, host: int, wait: bool) -> None:
        """Let a holding be larger or smaller."""
        more = (max(device - holding.device, 0), max(host - holding.host, 0))
        while any(more) and not await self._make_room(*more, holding if wait else None, evict=wait):
            if not wait:
                raise NoRoom(max(more), max(self.free()))
            self._refuse_impossible(device, host, (holding,))
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
        self.history = [*self.history[-MOST_HISTORY:], entry]

    async def _make_room(self, device: int, host: int, own: Holding | None, evict: bool = True) -> bool:
        """Whether there is room now, after evicting the whole of a plan that makes it."""
        free_device, free_host = self.free()
        if free_device >= device and free_host >= host:
            return True
        victims = self._plan(device - free_device, host - free_host, own) if evict else None
        if not victims:
            return False
        for victim in victims:
            self.note("evicted", victim.model, victim.device, "room was needed")
            if victim.evict and not await victim.evict():
                return False
        free_device, free_host = self.free()
        return free_device >= device and free_host >= host

    def _plan(self, device: int, host: int, own: Holding | None) -> list[Holding] | None:
        """The idle holdings to evict for so many missing bytes: longest unused and cheapest to load first."""
        moment = time.monotonic()
        idle = [
            one for one in self._holdings
            if one is not own and one.evict and not one.pinned and not one.in_use
            and moment - one.used_at >= self._hold
        ]  # fmt: skip
        idle.sort(key=lambda one: (one.used_at + one.cost, -one.device))
        chosen: list[Holding] = []
        for one in idle:
            if device <= 0 and host <= 0:
                break
            if (device > 0 and one.device) or (host > 0 and one.host):
                chosen.append(one)
                device -= one.device
                host -= one.host
        return chosen if device <= 0 and host <= 0 else None

    def _refuse_impossible(self, device: int, host: int, without: Sequence[Holding]) -> None:
        """Raise NoRoom when not even evicting everything that may be evicted would do."""
        fixed = [one for one in self._holdings if one.pinned and one not in without]
        have = min(pool.total - pool.external for pool in self.devices) - self._margin
        have -= sum(one.device for one in fixed)
        ram = self.host.total - self.host.external - sum(one.host for one in fixed)
        held_by = tuple(one.model for one in fixed)
        if device > have:
            raise NoRoom(device, max(have, 0), held_by, forever=True)
        if host > ram:
            raise NoRoom(host, max(ram, 0), held_by, forever=True)

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
