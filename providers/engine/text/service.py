"""Every text engine of a host: started or woken when a request needs one, protected while it is in use."""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp

from providers.engine.breaker import FAILURES, Breaker
from providers.engine.text.engine import TextEngine
from providers.engine.text.memory import Memory, NoRoom
from providers.engine.text.model import EngineBusy, EngineFailed, State, TextModel, TextSettings

LOG = logging.getLogger(__name__)


class UnknownModel(Exception):
    """No text model of this name is offered."""


class SetAside(EngineFailed):
    """A model whose engine failed again and again rests for a while."""

    def __init__(self, why: str, retry_after: float) -> None:
        super().__init__(why)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class TextReport:
    """How one model's engine is, in the words of the host's GET /models."""

    name: str
    kind: str
    state: str
    resident_bytes: int
    pinned: bool
    in_use: int
    since: float
    used: float
    why: str
    pids: tuple[int, ...]


class TextLease:
    """A running engine for one request; it is not evicted before `close`. `upstream` is how the server calls
    the model, `echoed` what its replies call it instead of `name` ("" where they are right)."""

    def __init__(self, engine: TextEngine, name: str, lora: str, held: AsyncExitStack) -> None:
        self.name = name
        self.base_url = engine.base_url
        self.headers = engine.headers
        self.embeds = engine.launcher.embeds
        self.upstream = engine.launcher.upstream_name(engine.model, lora)
        self.echoed = engine.launcher.echoed_name(engine.model)
        self.tried = engine.tried
        self._held = held

    async def close(self) -> None:
        """The request is through."""
        await self._held.aclose()

    async def __aenter__(self) -> "TextLease":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class TextService:
    """Text engines by the names of their models. `load`, `unload`, `sleep`, `pin` are an operator's wishes;
    `free` is the ledger's."""

    def __init__(self, settings: TextSettings, memory: Memory, http: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._memory = memory
        self._http = http
        self._engines: dict[str, TextEngine] = {}
        self._starting: dict[str, asyncio.Task[None]] = {}
        self._breaker = Breaker()
        self._closing = False

    def offer(self, models: Iterable[TextModel]) -> None:
        """The models that there are now. One that runs keeps what it was started with until it has ended."""
        wanted = {model.name: model for model in models}
        for name in [name for name in self._engines if name not in wanted]:
            if self._at_rest(self._engines[name]):
                del self._engines[name]
        for name, model in wanted.items():
            known = self._engines.get(name)
            if known is None or (known.model != model and self._at_rest(known)):
                fresh = TextEngine(model, self._settings, self._memory, self._http)
                fresh.pinned = known.pinned if known else False
                self._engines[name] = fresh

    def names(self) -> tuple[str, ...]:
        """What requests may ask for: models, and their adapters as MODEL:ADAPTER."""
        engines = self._engines.items()
        return tuple(
            name for key, one in engines for name in (key, *(f"{key}:{lora}" for lora in one.model.loras))
        )

    def engine(self, name: str) -> TextEngine:
        """A model's engine, running or not. Raises UnknownModel."""
        return self._find(name)[0]

    def reports(self) -> list[TextReport]:
        """How every engine is."""
        return [
            TextReport(
                name, one.model.kind, one.state, one.resident_bytes(), one.pinned, one.busy, one.since,
                one.places.used, one.why, one.pids,
            )
            for name, one in self._engines.items()
        ]  # fmt: skip

    async def open(self, name: str) -> TextLease:
        """An engine for one request, started or woken first. Raises UnknownModel, EngineBusy, NoRoom and
        EngineFailed. Who gives up waiting does not stop a start that others may need."""
        engine, lora = self._find(name)
        async with AsyncExitStack() as held:
            await held.enter_async_context(engine.admit())
            await self._bring_up(engine)
            if lora:
                await engine.need_lora(lora)
            return TextLease(engine, name, lora, held.pop_all())
        raise AssertionError("unreachable")

    async def load(self, name: str) -> None:
        """Start or wake it now. Raises like `open`."""
        await (await self.open(name)).close()

    async def unload(self, name: str) -> None:
        """Stop it once its replies are through. Raises UnknownModel and EngineBusy."""
        await self.engine(name).stop()

    async def sleep(self, name: str) -> None:
        """Put it to sleep once its replies are through. Raises UnknownModel and EngineBusy."""
        await self.engine(name).sleep()

    def pin(self, name: str, pinned: bool) -> None:
        """Whether it may be evicted. Raises UnknownModel."""
        self.engine(name).pin(pinned)

    async def free(self, name: str) -> bool:
        """Give memory back for another model: one that is awake sleeps if it can, another ends. False when it
        is in use, pinned or just changing; asked again of one asleep, it ends. Raises UnknownModel."""
        engine = self.engine(name)
        if engine.busy or engine.changing or engine.pinned:
            return False
        try:
            sleeps = engine.launcher.can_sleep and engine.model.sleeps
            sleeps = sleeps and engine.estimate_bytes().device > 2 * self._settings.residual
            await (engine.sleep() if sleeps and engine.state is State.READY else engine.stop())
        except EngineBusy:
            return False
        return True

    async def close(self) -> None:
        """End every engine, whatever runs; none is started any more."""
        self._closing = True
        for task in self._starting.values():
            task.cancel()
        await asyncio.gather(*(one.kill() for one in self._engines.values()))
        await asyncio.gather(*self._starting.values(), return_exceptions=True)

    def _find(self, name: str) -> tuple[TextEngine, str]:
        if name in self._engines:
            return self._engines[name], ""
        base, _, lora = name.rpartition(":")
        engine = self._engines.get(base)
        if engine is None or lora not in engine.model.loras:
            raise UnknownModel(name)
        return engine, lora

    def _at_rest(self, engine: TextEngine) -> bool:
        return engine.state in (State.COLD, State.FAILED) and not engine.busy and not engine.changing

    async def _bring_up(self, engine: TextEngine) -> None:
        if engine.state is State.READY and not engine.changing:
            return
        if self._closing:
            raise EngineBusy("the host is stopping")
        name = engine.model.name
        if seconds := self._breaker.rest(name):
            raise SetAside(f"failed {FAILURES} times; {engine.why}", seconds)
        task = self._starting.get(name)
        if task is None or task.done():
            task = self._starting[name] = asyncio.create_task(self._watched(engine))
        await asyncio.shield(task)

    async def _watched(self, engine: TextEngine) -> None:
        """A start whose failure is counted once, also when nobody waits for it any more."""
        try:
            await engine.bring_up()
        except EngineFailed as error:
            self._breaker.failed(engine.model.name)
            LOG.warning("%s could not be started: %s", engine.model.name, error)
            raise
        except NoRoom as error:
            LOG.info("%s has no room: %s", engine.model.name, error)
            raise
