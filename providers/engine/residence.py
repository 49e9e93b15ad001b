"""Models in memory: loaded when a job needs one, kept while there is room, unloaded for others, broken ones
left alone for a while."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from providers.engine.breaker import FAILURES, Breaker
from providers.engine.child import Child, ChildDied, RunFailed
from providers.engine.family import Family, NoFamily
from providers.engine.fitting import Fitting
from providers.engine.ledger import Lease, Ledger
from providers.engine.models import PROFILES, Model
from providers.engine.peaks import Need, Peaks, shape_of
from providers.engine.proofs import Proofs
from providers.engine.proving import prove as proved
from providers.engine.resident import Resident
from providers.engine.safety import INDEX
from providers.engine.text.memory import NoRoom

LOAD_SECONDS = 900.0
GROW_SECONDS = 15.0  # for more room beside what is loaded; then it is unloaded and waits its turn
GIVE_WAY_SECONDS = 5.0
logger = logging.getLogger(__name__)


class SetAside(Exception):
    """A model whose engine died again and again rests."""

    def __init__(self, model: str, seconds: float) -> None:
        super().__init__(f"the engine of {model} died {FAILURES} times; it rests for {seconds:.0f} s more")
        self.seconds = seconds


class Residence:
    """Every model of the host by its name."""

    def __init__(
        self,
        ledger: Ledger,
        families: Mapping[str, Family],
        models: Callable[[], Mapping[str, Model]],
        peaks: Peaks | None = None,
        proofs: Proofs | None = None,
    ) -> None:
        self.proofs = proofs or Proofs()
        self._ledger = ledger
        self._families = families
        self._models = models
        self._peaks = peaks or Peaks()
        self.fitting = Fitting(ledger, self._peaks)
        self._breaker = Breaker()
        self._residents: dict[str, Resident] = {}

    def all(self) -> list[Resident]:
        """Every model that is offered now."""
        return [self._resident(model) for model in self._models().values()]

    def find(self, name: str) -> Resident | None:
        """A model by its name."""
        model = self._models().get(name)
        return self._resident(model) if model else None

    @asynccontextmanager
    async def use(
        self, resident: Resident, on_wait: Callable[[str], None], request: Mapping[str, Any] | None = None
    ) -> AsyncIterator[Child]:
        """A model's process, loaded as a request wants it and ours alone, with room for what it makes.
        `on_wait` hears what is waited for: waiting or loading.
        Raises SetAside, NoFamily, NoRoom, RunFailed or ChildDied."""
        resident.in_use += 1
        try:
            async with resident.busy:
                await self._give_way(resident)
                resident.turn = True
                self._mark(resident)
                yield await self.load(resident, on_wait, request)
        finally:
            resident.in_use -= 1
            resident.turn = resident.busy.locked() and resident.turn
            self._mark(resident)

    async def load(
        self,
        resident: Resident,
        on_wait: Callable[[str], None] = lambda _: None,
        request: Mapping[str, Any] | None = None,
        prove: bool = False,
    ) -> Child:
        """The process of a model, started when there is none that would do. With `prove` a new one has made a
        real step before it counts as ready."""
        async with resident.loading:
            manner = self.fitting.manner(resident, request)
            need = self.fitting.need(resident, manner, request)
            child = resident.child
            if child is not None and child.alive and request is None:
                return child
            if child is not None and child.alive:
                if manner == resident.manner and await self._grown(resident, need, on_wait):
                    return child
                await child.stop()
            self._check(resident)
            await self._clear(resident)
            on_wait("waiting")
            lease = await self._ledger.reserve(resident.model.name, need.device, need.host)
            on_wait("loading")
            resident.state, resident.why, resident.manner = "loading", "", manner
            try:
                resident.child = await self._start(resident, lease, prove)
            except BaseException as error:
                await lease.release()
                resident.state = "cold"
                if isinstance(error, Exception):
                    self._not_loaded(resident, error)
                raise
            resident.lease = lease
            resident.state, resident.since = "ready", time.time()
            lease.holding.evict = lambda: self._evict(resident)
            self._mark(resident)
            return resident.child

    async def learn(self, resident: Resident, request: Mapping[str, Any], size: int) -> None:
        """A run took so much at its highest: from now on that is what room is asked for."""
        if size <= 0 or resident.lease is None:
            return
        shape, holding = shape_of(resident.model, request), resident.lease.holding
        most = self._peaks.learn(resident.model, resident.manner, shape, size)
        try:
            await resident.lease.adjust(most, holding.host, wait=False)
        except NoRoom:
            holding.device = most  # it is so, whether there was room or not

    async def unload(self, resident: Resident) -> bool:
        """Free a model's memory; False while somebody uses it or waits for it."""
        return not resident.in_use and await self._evict(resident)

    def pin(self, resident: Resident, pinned: bool) -> None:
        """Keep a model in memory, or no longer."""
        resident.pinned = pinned
        self._mark(resident)

    async def died(self, resident: Resident, child: Child, why: str) -> None:
        """A model's process ended by itself, or had to be killed; the model may be loaded anew meanwhile."""
        self._breaker.failed(resident.model.name)
        self._ledger.note("died", resident.model.name, 0, why)
        await _end(child)
        if resident.child is child:
            await self._clear(resident)
            resident.state, resident.why = "failed", why

    async def close(self) -> None:
        """End every process."""
        for resident in self._residents.values():
            if resident.child is not None:
                await _end(resident.child)
            await self._clear(resident)

    def _resident(self, model: Model) -> Resident:
        known = self._residents.get(model.name)
        if known is None:
            known = self._residents[model.name] = Resident(model)
        known.model = model
        return known

    def _check(self, resident: Resident) -> None:
        """Raise SetAside for a model that keeps dying."""
        if seconds := self._breaker.rest(resident.model.name):
            raise SetAside(resident.model.name, seconds)

    async def _grown(self, resident: Resident, need: Need, on_wait: Callable[[str], None]) -> bool:
        """Whether there is room for what is needed beside what is loaded. Two that want to grow would wait
        for each other for ever: who cannot soon must let go and queue."""
        assert resident.lease is not None
        holding = resident.lease.holding
        if need.device <= holding.device and need.host <= holding.host:
            return True
        on_wait("waiting")
        try:
            async with asyncio.timeout(GROW_SECONDS):
                await resident.lease.adjust(max(need.device, holding.device), max(need.host, holding.host))
        except TimeoutError:
            return False
        except NoRoom:
            self._ledger.check(need.device, need.host, resident.own)
            return False  # but on another device there can be
        return True

    async def _give_way(self, resident: Resident) -> None:
        """Let a model be unloaded first when somebody has waited long for the room it takes."""
        if resident.lease is not None and self._ledger.overdue(resident.model.name):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ledger.served(resident.model.name), GIVE_WAY_SECONDS)

    async def _start(self, resident: Resident, lease: Lease, prove: bool) -> Child:
        model = resident.model
        family = self._families.get(model.kind)
        if family is None:
            raise NoFamily(f"nothing here runs models of the kind {model.kind}")
        began = time.monotonic()
        child = await family.fork()
        spec = {**model.spec, "folder": str(model.folder or ""), "bytes": model.bytes}
        spec |= {"profile": resident.manner.profile, "quantise": resident.manner.quantise}
        spec["visible"] = lease.visible
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                facts = await child.load(spec)
                if prove and await proved(model, child, resident.manner.profile):
                    self.proofs.tried(model.name)
        except BaseException as error:
            await _end(child)
            if isinstance(error, RunFailed) and model.folder and not (model.folder / INDEX).is_file():
                raise RunFailed("model_gone", "its files are gone from this machine's disk") from error
            raise
        resident.options = dict(facts.get("options") or {})
        lease.holding.cost = time.monotonic() - began
        logger.info("%s is loaded (%s) after %.2f s", model.name, resident.manner, lease.holding.cost)
        return child

    async def _evict(self, resident: Resident) -> bool:
        if resident.turn:
            return False
        async with resident.loading:
            if resident.turn:
                return False
            if resident.child is not None:
                await resident.child.stop()
            await self._clear(resident)
            resident.state = "cold"
        return True

    def _not_loaded(self, resident: Resident, error: Exception) -> None:
        """Remember why, and what to do otherwise next time."""
        resident.state, resident.why = "failed", str(error) or "it took too long to load"
        self.proofs.tried(resident.model.name, resident.why)
        if isinstance(error, ChildDied):
            self._breaker.failed(resident.model.name)
            self._ledger.note("died", resident.model.name, 0, resident.why)
        elif isinstance(error, RunFailed) and error.kind == "memory":
            resident.profile = min(resident.manner.profile + 1, len(PROFILES) - 1)

    async def _clear(self, resident: Resident) -> None:
        if resident.lease is not None:
            await resident.lease.release()
        resident.child = resident.lease = None

    def _mark(self, resident: Resident) -> None:
        if resident.lease is not None:
            holding = resident.lease.holding
            holding.pinned, holding.in_use = resident.pinned, int(resident.turn)
            holding.used_at = time.monotonic()


async def _end(child: Child) -> None:
    """Kill a process, and wait until it is gone and its memory with it."""
    child.kill()
    await child.stop()
