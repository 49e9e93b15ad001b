"""Programs that run only when there is work for them: the jobs runner and this machine's engine host."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.fleet.child import environment
from core.fleet.component import Command, Component
from core.fleet.states import READY, SERVING, STARTING
from core.fleet.web import healthy, web_environment
from core.settings import Settings
from db.jobs import has_unended
from db.providers import Provider, all_providers
from db.routes import Route
from db.slugs import all_of

JOBS, ENGINE = "jobs", "engine"
SILENT = 30.0  # seconds without a beat before a runner counts as hung
START_SECONDS = 60.0
ASK_EVERY = 1.0
HERE = "here"  # in a provider's configuration: its engine host is a child of this orchestrator
logger = logging.getLogger(__name__)


class Worker:
    """One program on demand. `well` tells whether it does its work; one that does not is killed."""

    def __init__(self, component: Component, module: str, environ: Mapping[str, str]) -> None:
        self.component = component
        self.arguments: tuple[str, ...] = ()
        self._module = module
        self._environ = dict(environ)
        self._beat_at = 0.0

    def beat(self) -> None:
        """It says that it is well."""
        self._beat_at = time.monotonic()
        if self.component.state in (STARTING, *SERVING):
            self.component.become(READY)

    def tick(self, now: float) -> None:
        """Launch it when due; kill it when it has been silent for too long."""
        component = self.component
        if component.due(now):
            self._beat_at = now
            program = (str(os.getpid()), component.name, self._module, *self.arguments)
            component.launch(Command("core.fleet.program", program, self._environ))
        elif component.child and component.state in (STARTING, *SERVING):
            patience = START_SECONDS if component.state == STARTING else SILENT
            if now - self._beat_at > patience:
                logger.error("%s has been silent for %.0f s", component.name, patience)
                self._beat_at = now
                component.kill()

    def with_secret(self, name: str, value: str) -> None:
        """Hand it a secret through its environment."""
        self._environ[name] = value


class Workers:
    """The runner and the engine host of one orchestrator."""

    def __init__(self, settings: Settings, make: Callable[[str], Component]) -> None:
        self._settings = settings
        environ = {
            **web_environment(settings),
            "BOTYARD_JOB_QUEUES": settings.job_queues,
        }
        self.jobs = Worker(make(JOBS), "core.jobs", environ)
        self.engine = Worker(make(ENGINE), "providers.engine", environment())
        self.engine.arguments = (
            "--host", "127.0.0.1", "--port", str(settings.engine_port), "--device", settings.engine_device,
            "--home", str(settings.home.resolve() / "engine"),
        )  # fmt: skip
        self._token = ""
        self._ask_at = 0.0
        self._asking: asyncio.Task[None] | None = None

    @property
    def components(self) -> list[Component]:
        """For the panel."""
        return [self.jobs.component, self.engine.component]

    async def look(self, conn: AsyncConnection, secrets: Callable[[str], Any]) -> None:
        """Start what the rows need: the runner for jobs, the engine host for a route or job that asks it."""
        busy = await has_unended(conn)
        if busy:
            self.jobs.component.want()
        mine = next((row for row in await all_providers(conn) if _is_here(row)), None)
        if mine is None:
            return
        named = [line for route in await all_of(conn, Route) for line in route.candidates]
        if busy or any(line.partition(":")[0] == mine.id for line in named):
            await self.start_engine(mine.id, secrets)

    async def start_engine(self, provider_id: str, secrets: Callable[[str], Any]) -> None:
        """Have the engine host running, with the token that its provider asks with; one that was started with
        another is started anew."""
        keys = (await secrets(provider_id)).keys
        if not keys:
            logger.error("provider %s has no key: its engine host is not started", provider_id)
            return
        if keys[0] == self._token:
            return
        self._token, former = keys[0], self._token
        self.engine.with_secret("BOTYARD_ENGINE_TOKEN", keys[0])
        self.engine.component.want()
        if former:
            self.engine.component.kill()

    def tick(self, now: float) -> None:
        """One round of supervision."""
        self.jobs.tick(now)
        self.engine.tick(now)
        if self.engine.component.child and now >= self._ask_at and (not self._asking or self._asking.done()):
            self._ask_at = now + ASK_EVERY
            self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        """Ask the engine host how it is; the runner tells by itself."""
        if await healthy("127.0.0.1", self._settings.engine_port, "/live"):
            self.engine.beat()


def _is_here(row: Provider) -> bool:
    return bool(row.enabled and row.kind == ENGINE and (row.config or {}).get(HERE))
