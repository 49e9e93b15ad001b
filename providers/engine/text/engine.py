"""One text engine: a server of one language model, started, put to sleep, woken and stopped.

A change of state is made by one at a time. Replies are never cut off: sleep and stop first let nothing new
in, then wait for what runs. The device's memory counts as free only when a measurement says so; a server that
keeps it is killed.
"""

import asyncio
import logging
import time
from contextlib import AbstractAsyncContextManager

import aiohttp

from providers.engine.process import resident
from providers.engine.text.calls import ServerRefused
from providers.engine.text.launcher import LAUNCHERS, Need
from providers.engine.text.memory import Memory, MemoryLease, NoRoom
from providers.engine.text.model import EngineBusy, EngineFailed, State, TextModel, TextSettings
from providers.engine.text.places import Places
from providers.engine.text.server import Server, launch

LOG = logging.getLogger(__name__)
POLL = 0.1


class TextEngine:
    """One model's server. `pinned` engines are not evicted; `since` is when the state began."""

    def __init__(
        self, model: TextModel, settings: TextSettings, memory: Memory, http: aiohttp.ClientSession
    ) -> None:
        self.model = model
        self.pinned = False
        self.places = Places(model.most_requests + model.waiting, self._mark)
        self.state = State.COLD
        self.since = time.time()
        self.why = ""
        self.launcher = LAUNCHERS[model.kind]
        self._settings = settings
        self._memory = memory
        self._http = http
        self._server: Server | None = None
        self._lease: MemoryLease | None = None
        self._level = 1
        self._change = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None

    @property
    def base_url(self) -> str:
        """Where the server listens, on loopback; "" while there is none."""
        return self._server.calls.base_url if self._server else ""

    @property
    def headers(self) -> dict[str, str]:
        """What a request to the server must carry."""
        return dict(self._server.calls.headers) if self._server else {}

    @property
    def pids(self) -> tuple[int, ...]:
        """Every process of the server."""
        return self._server.child.pids() if self._server else ()

    @property
    def changing(self) -> bool:
        """Whether it is being started, woken, put to sleep or stopped right now."""
        return self._change.locked()

    @property
    def busy(self) -> int:
        """Requests in flight."""
        return self.places.taken

    def estimate_bytes(self) -> Need:
        """What it takes, from the files."""
        return self.launcher.need(self.model)

    def resident_bytes(self) -> int:
        """RAM that its processes hold now."""
        return resident(self.pids)

    def tried(self, why: str) -> None:
        """A token came from it, or did not: why."""
        self._settings.tried(self.model.name, why)

    def pin(self, pinned: bool) -> None:
        """Whether it may be evicted."""
        self.pinned = pinned
        self._mark()

    async def start(self) -> None:
        """Until a real token came. Raises NoRoom and EngineFailed; nothing is left running then."""
        async with self._change:
            await self._start()

    async def stop(self) -> None:
        """End the server once its replies are through. Raises EngineBusy when they take too long."""
        async with self._change:
            await self._must_drain()
            await self._end(State.COLD, "")

    async def kill(self, why: str = "stopped") -> None:
        """End the server at once, whatever runs: for the host's own end and for engines that hang."""
        self.places.shut(True)
        if self._watch:
            self._watch.cancel()
        if self._server:
            await self._server.child.end(self._settings.term_seconds)  # a start under way fails by this
        async with self._change:
            await self._end(State.COLD, why)

    async def sleep(self) -> int | None:
        """Give the device's memory back; returns what is still held there, None where it cannot be told.
        Raises EngineBusy when replies take too long. A server that keeps the memory is killed."""
        async with self._change:
            if self.state is not State.READY or not (self.launcher.can_sleep and self.model.sleeps):
                raise EngineBusy(f"an engine that is {self.state} cannot sleep")
            await self._must_drain()
            try:
                held = await self._fall_asleep()
            except ServerRefused as error:
                LOG.warning("%s did not fall asleep and is ended: %s", self.model.name, error)
                await self._end(State.COLD, "did not fall asleep")
                return 0
            except BaseException:
                await self._end(State.COLD, "interrupted while it fell asleep")
                raise
            if held is not None and held > self._settings.residual:
                LOG.warning("%s sleeps but holds %d bytes; it is ended", self.model.name, held)
                await self._end(State.COLD, "kept the memory while asleep")
                return 0
            self.places.shut(False)
            self._become(State.ASLEEP, f"level {self._level}")
            return held

    async def wake(self) -> None:
        """From sleep to a real token. Raises NoRoom (the engine as it was) and EngineFailed (ended)."""
        async with self._change:
            await self._wake()

    async def drain(self, deadline: float) -> bool:
        """Let nothing new in and wait so many seconds for what runs; False, and open again, when some still
        does. No reply is cut off."""
        self.places.shut(True)
        drained = False
        try:
            async with asyncio.timeout(deadline):
                await self.places.empty()
                await self._until_idle()
            drained = True
        except TimeoutError:
            LOG.info("%s still has %d replies running", self.model.name, self.busy)
        except ServerRefused as error:
            LOG.warning("%s does not tell what it runs: %s", self.model.name, error)
            drained = True
        finally:
            self.places.shut(drained)
        return drained

    async def bring_up(self) -> None:
        """Start or wake, whichever it takes; the caller holds a place (`admit`) meanwhile."""
        async with self._change:
            if self.state is State.ASLEEP:
                try:
                    await self._wake()
                except EngineFailed as error:
                    LOG.warning("%s is started anew: %s", self.model.name, error)
            if self.state is not State.READY:
                await self._start()

    async def need_lora(self, name: str) -> None:
        """Have an adapter loaded. Raises EngineFailed."""
        if self._server is None:
            raise EngineFailed("the engine has ended")
        await self._server.need_lora(name)

    def admit(self) -> AbstractAsyncContextManager[None]:
        """A place among the requests in flight. Raises EngineBusy when there is none."""
        return self.places.take()

    async def _must_drain(self) -> None:
        if self.state is State.READY and not await self.drain(self._settings.drain_seconds):
            raise EngineBusy("replies are running")

    async def _until_idle(self) -> None:
        """By the server's own count: it may still work for a client that has left."""
        if not (self.launcher.counts and self._server):
            return
        while await self._server.calls.running():  # noqa: ASYNC110 - another process counts
            await asyncio.sleep(POLL)

    async def _start(self) -> None:
        if self.state in (State.READY, State.ASLEEP):
            return
        self._become(State.LOADING, "")
        need = self.launcher.need(self.model)
        devices = max(1, self.model.tensor_parallel)
        try:
            lease = await self._memory.reserve(self.model.name, need.device, need.host, devices)
            self._lease = lease
            share = min(0.98, need.device / max(1, lease.device_total))
            self._server = await launch(self.model, self._settings, self._http, share, lease.visible)
            await self._server.first_token()
        except NoRoom as error:
            self._become(State.COLD, str(error))
            raise
        except BaseException as error:
            await self._end(State.FAILED, str(error) or type(error).__name__)
            raise
        self.places.shut(False)
        self._become(State.READY, "")
        self._watch = asyncio.create_task(self._watch_child())

    async def _fall_asleep(self) -> int | None:
        """Level 1 where the weights have room in RAM, 2 otherwise or when 1 left too much on the device."""
        assert self._server and self._lease
        residual = self._settings.residual
        need = self.estimate_bytes()
        levels: tuple[int, ...] = (1, 2)
        try:
            await self._lease.adjust(need.device, need.host + self.model.weights, wait=False)
        except NoRoom:
            levels = (2,)
        held = await self._memory.held(self.pids)
        for level in levels:
            self._level = level
            await self._server.calls.sleep(level, self._settings.sleep_seconds)
            held = await self._settle(self.pids, residual)
            if held is not None and held <= residual:
                break
            if held is None and await self._server.calls.asleep():
                break
        host = need.host + (self.model.weights if self._level == 1 else 0)
        each = None if held is None else held // max(1, self.model.tensor_parallel)
        await self._lease.adjust(min(residual, need.device) if each is None else each, host)
        return held

    async def _settle(self, pids: tuple[int, ...], enough: int) -> int | None:
        """What processes hold on the devices once that is little enough, or after a while."""
        until = time.monotonic() + self._settings.freed_seconds
        while (held := await self._memory.held(pids)) is not None:
            if held <= enough or time.monotonic() > until:
                break
            await asyncio.sleep(POLL)
        return held

    async def _wake(self) -> None:
        if self.state is not State.ASLEEP:
            return
        assert self._server and self._lease
        need = self.estimate_bytes()
        await self._lease.adjust(need.device, need.host + (self.model.weights if self._level == 1 else 0))
        self._become(State.LOADING, "waking")
        try:
            await self._server.calls.wake(self._level, self._settings.sleep_seconds)
            await self._server.one_token()
            await self._lease.adjust(need.device, need.host)
        except BaseException as error:
            await self._end(State.FAILED, f"did not wake: {error}")
            if isinstance(error, ServerRefused):
                raise EngineFailed(f"did not wake: {error}") from error
            raise
        self._become(State.READY, "")

    async def _end(self, state: State, why: str) -> None:
        """Nothing is left of the server, and its memory is given back once it is really free."""
        watch, self._watch = self._watch, None
        if watch and watch is not asyncio.current_task():
            watch.cancel()
        server, self._server = self._server, None
        if server:
            pids = server.child.pids()
            await server.child.end(self._settings.term_seconds)
            await self._settle(pids, 0)
        self.places.shut(False)
        lease, self._lease = self._lease, None
        if lease:
            await lease.release()
        self._become(state, why)

    async def _watch_child(self) -> None:
        """A server that ends by itself has failed, and its room is given back."""
        if (server := self._server) is None:
            return
        code = await server.child.wait()
        async with self._change:
            if self._server is server:
                reason = f"died with {code}: {server.child.last_words()[-500:]}"
                LOG.warning("%s %s", self.model.name, reason)
                await self._end(State.FAILED, reason)

    def _mark(self) -> None:
        if self._lease:
            self._lease.mark(self.busy, self.pinned)

    def _become(self, state: State, why: str) -> None:
        self.state, self.why, self.since = state, why, time.time()
        if state in (State.READY, State.FAILED):
            self.tried(why)
        self._mark()
