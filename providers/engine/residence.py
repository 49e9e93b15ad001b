"""Models in memory: loaded when a job needs one, kept while there is room, unloaded for others, broken ones
left alone for a while."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from providers.engine.child import Child, ChildDied, RunFailed
from providers.engine.family import Family, NoFamily
from providers.engine.ledger import Lease, Ledger
from providers.engine.models import Model

FAILURES, WINDOW = 3, 600.0  # so many deaths within so many seconds, and the model rests
LOAD_SECONDS = 900.0
logger = logging.getLogger(__name__)


class SetAside(Exception):
    """A model whose engine died again and again rests."""

    def __init__(self, model: str, seconds: float) -> None:
        super().__init__(f"the engine of {model} died {FAILURES} times; it rests for {seconds:.0f} s more")
        self.seconds = seconds


@dataclass(slots=True)
class Resident:
    """One model and, while it is loaded, its process. `profile` is how sparing with memory it was loaded."""

    model: Model
    state: str = "cold"
    child: Child | None = None
    lease: Lease | None = None
    pinned: bool = False
    in_use: int = 0
    since: float = 0.0
    used_at: float = 0.0
    why: str = ""
    profile: int = 0
    measured: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    loading: asyncio.Lock = field(default_factory=asyncio.Lock)
    deaths: deque[float] = field(default_factory=deque)


class Residence:
    """Every model of the host by its name."""

    def __init__(
        self, ledger: Ledger, families: Mapping[str, Family], models: Callable[[], Mapping[str, Model]]
    ) -> None:
        self._ledger = ledger
        self._families = families
        self._models = models
        self._residents: dict[str, Resident] = {}

    def all(self) -> list[Resident]:
        """Every model that is offered now."""
        return [self._resident(model) for model in self._models().values()]

    def find(self, name: str) -> Resident | None:
        """A model by its name."""
        model = self._models().get(name)
        return self._resident(model) if model else None

    @asynccontextmanager
    async def use(self, resident: Resident, on_wait: Callable[[str], None]) -> AsyncIterator[Child]:
        """A model's process, loaded and ours alone. `on_wait` hears what is waited for: waiting or loading.
        Raises SetAside, NoFamily, NoRoom, RunFailed or ChildDied."""
        resident.in_use += 1
        self._mark(resident)
        try:
            async with resident.busy:
                yield await self.load(resident, on_wait)
        finally:
            resident.in_use -= 1
            resident.used_at = time.time()
            self._mark(resident)

    async def load(self, resident: Resident, on_wait: Callable[[str], None] = lambda _: None) -> Child:
        """The process of a model, started when there is none."""
        async with resident.loading:
            if resident.child is not None and resident.child.alive:
                return resident.child
            self._check(resident)
            await self._clear(resident)
            on_wait("waiting")
            size = resident.measured or resident.model.bytes
            lease = await self._ledger.reserve(resident.model.name, size)
            on_wait("loading")
            resident.state, resident.why = "loading", ""
            try:
                child = await self._start(resident)
            except BaseException:
                resident.state = "failed"
                await lease.release()
                raise
            resident.child, resident.lease = child, lease
            resident.state, resident.since = "ready", time.time()
            lease.holding.evict = lambda: self._evict(resident)
            self._mark(resident)
            return child

    async def unload(self, resident: Resident) -> bool:
        """Free a model's memory; False while somebody uses it."""
        return await self._evict(resident)

    def pin(self, resident: Resident, pinned: bool) -> None:
        """Keep a model in memory, or no longer."""
        resident.pinned = pinned
        self._mark(resident)

    async def died(self, resident: Resident, why: str) -> None:
        """A model's process ended by itself, or had to be killed."""
        resident.deaths.append(time.monotonic())
        resident.why = why
        self._ledger.note("died", resident.model.name, 0, why)
        if resident.child is not None:
            resident.child.kill()
        await self._clear(resident)
        resident.state = "failed"

    async def close(self) -> None:
        """End every process."""
        for resident in self._residents.values():
            if resident.child is not None:
                resident.child.kill()
            await self._clear(resident)

    def _resident(self, model: Model) -> Resident:
        known = self._residents.get(model.name)
        if known is None:
            known = self._residents[model.name] = Resident(model)
        known.model = model
        return known

    def _check(self, resident: Resident) -> None:
        """Raise SetAside for a model that keeps dying."""
        moment = time.monotonic()
        while resident.deaths and moment - resident.deaths[0] > WINDOW:
            resident.deaths.popleft()
        if len(resident.deaths) >= FAILURES:
            raise SetAside(resident.model.name, WINDOW - (moment - resident.deaths[0]))

    async def _start(self, resident: Resident) -> Child:
        model = resident.model
        family = self._families.get(model.kind)
        if family is None:
            raise NoFamily(f"nothing here runs models of the kind {model.kind}")
        began = time.monotonic()
        child = await family.fork()
        spec = {**model.spec, "folder": str(model.folder or ""), "profile": resident.profile}
        spec["bytes"] = model.bytes
        try:
            async with asyncio.timeout(LOAD_SECONDS):
                facts = await child.load(spec)
        except (RunFailed, ChildDied, TimeoutError) as error:
            child.kill()
            resident.why = str(error) or "it took too long to load"
            raise
        resident.options = dict(facts.get("options") or {})
        logger.info("%s is loaded after %.2f s", model.name, time.monotonic() - began)
        return child

    async def _evict(self, resident: Resident) -> bool:
        if resident.in_use:
            return False
        async with resident.loading:
            if resident.child is not None:
                await resident.child.stop()
            await self._clear(resident)
            resident.state = "cold"
        return True

    async def _clear(self, resident: Resident) -> None:
        if resident.lease is not None:
            await resident.lease.release()
        resident.child = resident.lease = None

    def _mark(self, resident: Resident) -> None:
        if resident.lease is not None:
            holding = resident.lease.holding
            holding.pinned, holding.in_use = resident.pinned, resident.in_use
            holding.used_at = time.monotonic()
