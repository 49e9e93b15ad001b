"""The supervisor: brings what runs into line with what the rows want, and keeps it so."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from core.fleet.child import reap_strangers
from core.fleet.component import Component
from core.fleet.control import SOCKET_NAME
from core.fleet.control_server import ControlServer
from core.fleet.forks import Forks
from core.fleet.logs import LogBook, LogLine
from core.fleet.observed import Observed
from core.fleet.operations import Operations
from core.fleet.parts import Setup
from core.fleet.prctl import become_subreaper
from core.fleet.sampler import Sampler
from core.fleet.states import STARTING
from core.fleet.surroundings import Surroundings
from core.fleet.unit import Unit
from core.fleet.wanted import Plan, Planner, Secrets
from core.fleet.web import Web
from core.fleet.workers import Workers

WEB_STOP_SECONDS = 5.0
logger = logging.getLogger(__name__)


class Supervisor:
    """Owns every child process. Must be made and run in the main thread of its process."""

    def __init__(self, setup: Setup, logs: LogBook) -> None:
        settings = setup.settings
        self.units: dict[str, Unit] = {}
        self.logs = logs
        self.vault = setup.vault
        self.started_at = time.time()
        self.sampler = Sampler()
        self.version = -1
        self._settings = settings
        self._parts = setup.parts
        self._timing = setup.parts.timing
        self._secrets = Secrets(setup.vault)
        self.planner = Planner(setup.database, self._secrets)
        self._observed = Observed(setup.database, self.units)
        self._control = ControlServer(settings.run_dir / SOCKET_NAME, Operations(self).by_name())
        self._forks = Forks(self._parts.kinds, self._parts.entry, settings.database_url, self._timing)
        self._wake = asyncio.Event()
        self._woken: set[str | None] = set()
        self._moved = asyncio.Event()
        self._closing = False
        self._strangers: set[int] = set()
        self._reap_at = 0.0
        self._web = self._make_web() if self._parts.web_module else None
        self.workers = Workers(settings, self._component) if self._parts.workers else None
        self._database = setup.database
        self._around = self._surroundings()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def components(self) -> dict[str, Component]:
        """The programs of the control plane, by name."""
        found = [self._forks.component, self._web.component if self._web else None]
        found += self.workers.components if self.workers else []
        return {component.name: component for component in found if component}

    async def start(self) -> None:
        """Open the control socket, read the rows once and begin to supervise."""
        become_subreaper()
        self._control.open()
        if self._web:
            self._web.component.want()
        await self.reconcile()
        self._tick(time.monotonic())
        for loop in (self._ticking(), self._reconciling(), self._observed.write()):
            self._tasks.append(asyncio.create_task(loop))

    def wake(self, channel_id: str | None = None) -> None:
        """The rows changed: of one channel, or of anything (None)."""
        self._woken.add(channel_id)
        self._wake.set()

    def publish(self, event: dict[str, Any]) -> None:
        """Tell whoever watches live; word of a new job wakes its runner."""
        self._control.publish(event)
        if event.get("topic") == "jobs" and self.workers:
            self._wake.set()

    async def reconcile(self) -> None:
        """Read what is wanted and bring every unit into line."""
        woken, self._woken = self._woken, set()
        plan = await self.planner.read()
        if self.workers and not self._closing:
            async with self._database.reading() as conn:
                await self.workers.look(conn, self.planner.provider_secrets)
        self.logs.redactor.learn(self._secrets.known())
        if self._closing:
            return
        self._take(plan)
        if plan.version != self.version or None in woken:
            self.version, woken = plan.version, {None}
        if woken:
            self._tell_config(woken)

    async def stop(self) -> None:
        """Drain all channels, then end the rest; who does not end in time is killed."""
        self._closing = True
        for unit in self.units.values():
            unit.drain("shutdown")
        await self._until(lambda: not any(unit.run for unit in self.units.values()), self._timing.drain + 1)
        self.kill_channels()
        for component in self.components.values():
            component.stop()
        await self._until(lambda: not any(one.child for one in self.components.values()), WEB_STOP_SECONDS)
        self.kill()
        await self._until(lambda: not self.pids(), 1.0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._observed.flush()
        self._control.close()
        self.logs.close()

    def kill_channels(self) -> None:
        """End every channel at once."""
        for unit in self.units.values():
            if unit.run:
                unit.run.kill("shutdown")

    def kill(self) -> None:
        """End everything at once, without a drain."""
        self._closing = True
        self.kill_channels()
        for component in self.components.values():
            component.stop()
            component.kill()

    def pids(self) -> list[int]:
        """Every supervised process."""
        owners: list[Unit | Component] = [*self.units.values(), *self.components.values()]
        return [owner.pid for owner in owners if owner.pid]

    def _take(self, plan: Plan) -> None:
        self._forks.need({one.kind for one in plan.channels.values() if one.enabled})
        for channel_id, wanted in plan.channels.items():
            unit = self.units.get(channel_id)
            if unit is None:
                unit = self.units[channel_id] = Unit(wanted, self._around)
                self._observed.mark(channel_id)
            unit.update(wanted)
        for channel_id in self.units.keys() - plan.channels.keys():
            self._forget(channel_id)

    def _forget(self, channel_id: str) -> None:
        unit = self.units[channel_id]
        if unit.run:
            unit.drain("shutdown")
            return
        unit.close()
        del self.units[channel_id]
        self.publish({"topic": "state", "channel_id": channel_id, "state": "DELETED", "reason": ""})

    def _tell_config(self, woken: set[str | None]) -> None:
        for channel_id, unit in self.units.items():
            if unit.run and (None in woken or channel_id in woken):
                unit.run.send({"t": "wake", "what": "config"})
        self.publish({"topic": "config"})

    async def _reconciling(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), self._timing.reconcile)
            self._wake.clear()
            try:
                await self.reconcile()
            except (SQLAlchemyError, OSError) as error:
                logger.error("the rows cannot be read, trying again: %s", type(error).__name__)

    async def _ticking(self) -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(self._timing.tick)
            now = time.monotonic()
            late = now - before - self._timing.tick
            before = now
            if late > self._timing.silent / 5:
                logger.warning("the supervisor stood still for %.1f s", late)
                for unit in self.units.values():
                    unit.forgive(late)
            try:
                self._tick(now)
            except Exception:  # an edge: no single failure (no memory, no descriptors) ends supervision
                logger.exception("a round of supervision failed")

    def _tick(self, now: float) -> None:
        for unit in self.units.values():
            try:
                unit.tick(now)
            except Exception:  # an edge: one channel must not end supervision of the others
                logger.exception("channel %s: supervision failed", unit.wanted.id)
        if not self._closing:
            self._forks.tick(now)
            if self._web:
                self._web.tick(now)
            if self.workers:
                self.workers.tick(now)
            self._start_waiting()
        self.sampler.sample_next([*self.pids(), os.getpid()], now)
        if now >= self._reap_at:
            self._reap_at = now + 1.0
            self._strangers = reap_strangers(set(self.pids()), self._strangers)

    def _start_waiting(self) -> None:
        """Start what waits, a few at a time, once the fork server is warm for its kind."""
        if self._closing:
            return
        now = time.monotonic()
        starting = [
            unit.run
            for unit in self.units.values()
            if unit.run and unit.state == STARTING and now - unit.run.begun < self._timing.start_slot
        ]
        room = self._timing.starts_at_once - len(starting)
        for unit in self.units.values():
            if room > 0 and unit.waiting and self._forks.ready_for(unit.wanted.kind):
                unit.start()
                room -= 1

    def _changed(self, channel_id: str) -> None:
        self._moved.set()
        self._observed.mark(channel_id)
        unit = self.units.get(channel_id)
        if unit is None:
            return
        fields = ("state", "reason", "since", "pid", "restarts")
        shown = {name: getattr(unit, name) for name in fields}
        self.publish({"topic": "state", "channel_id": channel_id, **shown})
        asyncio.get_running_loop().call_soon(self._start_waiting)

    def _lines(self, name: str, lines: list[LogLine]) -> None:
        for line in lines:
            self.publish({"topic": "log", "channel_id": name, "line": line.to_json()})

    def _component_changed(self) -> None:
        self._moved.set()
        for name, component in self.components.items():
            self.publish({"topic": "component", "name": name, **component.status()})
        self._start_waiting()

    def _surroundings(self) -> Surroundings:
        settings = self._settings
        forkserver = self._forks.attach(self.logs.open("forkserver"), self._component_changed)
        forkserver.on_lines = self._lines
        start = {
            "database_url": settings.database_url,
            "home": str(settings.home.resolve()),
            "redis_url": settings.redis_url,
            "public_url": settings.url,
            "media_url": settings.media_url,
            "ttl_hours": settings.task_ttl_hours,
            "log_level": "INFO",
        }
        return Surroundings(
            self._parts.kinds, self._forks, settings.run_dir, start, self._timing,
            self.logs.open, self._changed, self.publish,
        )  # fmt: skip

    def _make_web(self) -> Web:
        return Web(self._component("web"), self._parts.web_module, self._settings)

    def _component(self, name: str) -> Component:
        component = Component(name, self.logs.open(name), self._component_changed)
        component.on_lines = self._lines
        return component

    async def _until(self, done: Callable[[], bool], seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not done():
                    self._moved.clear()
                    await self._moved.wait()
