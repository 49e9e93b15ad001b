"""The memory ledger: who holds how much of each device and of the host's RAM, and who makes room for whom.

Room is asked for by peak, before anything is loaded. The whole eviction is planned first: what cannot fit is
refused at once with numbers, and nothing is unloaded for it in vain.
"""

import asyncio
import itertools
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from providers.engine.holdings import HOLD, Holding, Pool, victims
from providers.engine.text.memory import NoRoom

PATIENCE = 30.0  # seconds after which who waits goes before those who use what is loaded
LOOK_EVERY = 2.0  # seconds between looks at what others hold
MOST_HISTORY = 200
Outcome = TypeVar("Outcome")


class Lease:
    """Room that one model holds; implements providers.engine.text.memory.MemoryLease."""

    def __init__(self, ledger: "Ledger", holding: Holding) -> None:
        self.holding = holding
        self._ledger = ledger

    @property
    def visible(self) -> str:
        """Its devices as CUDA_VISIBLE_DEVICES names them; "" where they are no GPUs."""
        return ",".join(self._ledger.devices[place].visible for place in self.holding.devices).strip(",")

    @property
    def device_total(self) -> int:
        """Bytes that each of its devices has: the smallest one's."""
        return min(self._ledger.devices[place].total for place in self.holding.devices)

    async def adjust(self, device: int, host: int, wait: bool = True) -> None:
        """Hold so much from now on, on each of its devices and in RAM. Raises NoRoom."""
        await self._ledger.adjust(self.holding, device, host, wait)

    async def release(self) -> None:
        """Nothing of the model is left."""
        self._ledger.release(self.holding)


@dataclass(frozen=True, slots=True, eq=False)
class Waiter:
    """Somebody who waits for room."""

    model: str
    since: float = field(default_factory=time.monotonic)


class Ledger:
    """All pools of one machine; `hold` is the time after a use without eviction.

    A model lies on the devices that it was given until it is unloaded: on one, or on several with the same on
    each. It is given those with the most room, or else those whose models were unused for the longest.
    """

    def __init__(self, devices: Sequence[Pool], host: Pool, hold: float = HOLD) -> None:
        self.devices = list(devices)
        self.host = host
        self.history: list[dict[str, Any]] = []
        self.patience = PATIENCE
        self._hold = hold
        self._holdings: list[Holding] = []
        self._changed = asyncio.Condition()
        self._queue: list[Waiter] = []
        self._looked_at = 0.0
        self._running: set[asyncio.Task[Any]] = set()

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

    def free(self, on: Sequence[int] = ()) -> tuple[int, int]:
        """Bytes free on each of these devices at least (of all, where none are named), and in RAM."""
        places = on or range(len(self.devices))
        host = self.host.total - self.host.external - sum(one.host for one in self._holdings)
        return min(self._free_on(place, self._holdings) for place in places), host

    async def reserve(self, model: str, device: int, host: int = 0, devices: int = 1) -> Lease:
        """Wait, in order, until there is room on so many devices, evicting others. Raises NoRoom at once for
        what never fits."""
        self._look()
        self.check(device, host, devices=devices)
        waiter = Waiter(model)
        self._queue.append(waiter)
        try:
            while True:
                sets = list(itertools.combinations(range(len(self.devices)), devices))
                if self._queue[0] is waiter and (on := await self._make_room(device, host, sets)):
                    holding = Holding(model, device, host, on)
                    self._holdings.append(holding)
                    self.note("reserved", model, device)
                    return Lease(self, holding)
                self._look()
                self.check(device, host, devices=devices)
                await self._wait()
        finally:
            self._queue.remove(waiter)
            self._tell()  # without waiting: who was just given room could be cancelled here, and keep it

    async def adjust(self, holding: Holding, device: int, host: int, wait: bool) -> None:
        """Let a holding be larger or smaller, where it is."""
        while True:
            more = (max(device - holding.device, 0), max(host - holding.host, 0))
            own = holding if wait else None
            if not any(more) or await self._make_room(*more, [holding.devices], own, evict=wait):
                break
            if not wait:
                raise NoRoom(max(more), max(self.free(holding.devices)))
            self.check(device, host, (holding,), on=holding.devices)
            await self._wait()
        holding.device, holding.host = device, host
        self._tell()

    def release(self, holding: Holding) -> None:
        """Forget a holding."""
        if holding in self._holdings:
            self._holdings.remove(holding)
            self.note("released", holding.model, holding.device)
            self._tell()

    def note(self, event: str, model: str, size: int, why: str = "") -> None:
        """Write into the history that operators see."""
        entry = {"at": time.time(), "event": event, "model": model, "bytes": size, "why": why}
        self.history = [*self.history[-MOST_HISTORY + 1 :], entry]

    def check(
        self,
        device: int,
        host: int,
        without: Sequence[Holding] = (),
        devices: int = 1,
        on: Sequence[int] = (),
    ) -> None:
        """Raise NoRoom when not even evicting everything that may be evicted would do: on these devices, or
        on any so many."""
        held_by = tuple(one.model for one in self._fixed(without))
        for need, size in zip((device, host), self.most(without, devices, on), strict=True):
            if need > size:
                raise NoRoom(need, size, held_by, forever=True)

    def most(
        self, without: Sequence[Holding] = (), devices: int = 1, on: Sequence[int] = ()
    ) -> tuple[int, int]:
        """Bytes on each of its devices, and of RAM, that one model could have when all others made room."""
        fixed = self._fixed(without)
        rooms = sorted(
            (self._free_on(place, fixed) for place in on or range(len(self.devices))), reverse=True
        )
        host = self.host.total - self.host.external - sum(one.host for one in fixed)
        last = len(on) or devices
        return max(rooms[last - 1], 0) if last <= len(rooms) else 0, max(host, 0)

    def _fixed(self, without: Sequence[Holding]) -> list[Holding]:
        return [one for one in self._holdings if one.pinned and one not in without]

    def _free_on(self, place: int, holdings: Sequence[Holding]) -> int:
        pool = self.devices[place]
        return pool.total - pool.external - sum(one.on(place) for one in holdings)

    async def _make_room(
        self,
        device: int,
        host: int,
        sets: Sequence[tuple[int, ...]],
        own: Holding | None = None,
        evict: bool = True,
    ) -> tuple[int, ...] | None:
        """The best of these sets of devices, which has room now, after evicting the whole of a plan that
        makes it; None when there is none. Of several plans, the one with the longest unused."""
        sets = sorted(sets, key=lambda on: -self.free(on)[0])
        if ready := next((on for on in sets if _fits(device, host, *self.free(on))), None):
            return ready
        plans = [(plan, on) for on in sets if (plan := self.plan(device, host, on, own))] if evict else []
        if not plans:
            return None
        plan, on = min(plans, key=lambda one: (max(victim.worth for victim in one[0]), len(one[0])))
        for victim in plan:
            self.note("evicted", victim.model, victim.device, "room was needed")
            if victim.evict and not await asyncio.shield(self._apart(victim.evict())):
                return None  # shielded: one who gives up waiting must not leave a model half unloaded
        return on if _fits(device, host, *self.free(on)) else None

    def plan(
        self, device: int, host: int, on: Sequence[int], own: Holding | None = None
    ) -> list[Holding] | None:
        """The idle holdings to evict for so much room on each of these devices and in RAM; None when they
        would not do."""
        moment = time.monotonic()
        waited = self._queue and moment - self._queue[0].since > self.patience
        hold = 0.0 if waited else self._hold
        idle = [one for one in self._holdings if one is not own and one.idle(moment, hold)]
        missing = {place: device - self._free_on(place, self._holdings) if device else 0 for place in on}
        return victims(idle, missing, host - self.free(on)[1] if host else 0)

    def _look(self) -> None:
        """Measure what others hold, now and then."""
        moment = time.monotonic()
        if moment - self._looked_at >= LOOK_EVERY:
            self._looked_at = moment
            for place, pool in enumerate(self.devices):
                pool.look(not any(place in one.devices for one in self._holdings))
            self.host.look(not self._holdings)

    async def _wait(self) -> None:
        """Until something changes; looked at again by itself, for holds that run out."""
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait(), 0.25)
            except TimeoutError:
                return

    def _tell(self) -> None:
        """Have all look again."""
        self._apart(self._told())

    async def _told(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _apart(self, work: Coroutine[Any, Any, Outcome]) -> asyncio.Task[Outcome]:
        """Work that nobody's leaving stops."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


def _fits(device: int, host: int, free_device: int, free_host: int) -> bool:
    """What is not needed fits everywhere: even where others took more than there is."""
    return device <= max(free_device, 0) and host <= max(free_host, 0)
