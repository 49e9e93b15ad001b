"""The web process under supervision: ready when it answers, restarted when it does not."""

import asyncio
import errno
import os
import socket
import time
from contextlib import closing

from core.fleet.child import environment
from core.fleet.component import Command, Component
from core.fleet.states import DEGRADED, READY, SERVING, STARTING
from core.media.opening import media_environment
from core.settings import Settings

PROBE_EVERY = 3.0
PROBE_TIMEOUT = 3.0
MOST_MISSES = 3
START_SECONDS = 60.0
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


class Web:
    """Launches the web process and asks it for `/health`."""

    def __init__(self, component: Component, module: str, settings: Settings) -> None:
        self.component = component
        self._module = module
        self._host, self._port = EVERYWHERE.get(settings.host, settings.host), settings.port
        self._environ = web_environment(settings)
        self._misses = 0
        self._probe_at = 0.0
        self._launched = 0.0
        self._probe: asyncio.Task[None] | None = None

    def tick(self, now: float) -> None:
        """Launch it when due; ask how it is from time to time."""
        if self.component.due(now):
            self._launched, self._misses, self._probe_at = now, 0, now
            arguments = (str(os.getpid()), self.component.name, self._module)
            self.component.launch(Command("core.fleet.program", arguments, self._environ))
        elif self.component.child and now >= self._probe_at and (not self._probe or self._probe.done()):
            starting = self.component.state == STARTING
            self._probe_at = now + (0.1 if starting else PROBE_EVERY)
            self._probe = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        child = self.component.child
        well = await healthy(self._host, self._port)
        if child is None or child is not self.component.child:
            return
        state = self.component.state
        if well and state in (STARTING, *SERVING):
            self._misses = 0
            self.component.become(READY)
        elif state in SERVING:
            self._misses += 1
            self.component.become(DEGRADED, "it does not answer /health")
        if self._misses >= MOST_MISSES or (
            self.component.state == STARTING and time.monotonic() - self._launched > START_SECONDS
        ):
            self.component.kill()


def web_environment(settings: Settings) -> dict[str, str]:
    """The settings that the web process needs, without the key that opens secrets."""
    return environment(
        BOTYARD_HOME=str(settings.home.resolve()),
        BOTYARD_HOST=settings.host,
        BOTYARD_PORT=str(settings.port),
        BOTYARD_PUBLIC_URL=settings.public_url,
        BOTYARD_ENGINE_PORT=str(settings.engine_port),
        TASK_TTL_HOURS=str(settings.task_ttl_hours),
        BOTYARD_ADMIN_TOKEN=settings.admin_token.get_secret_value(),
        BOTYARD_SECRET_KEY="",  # set, so that a value in .env does not come through
        DATABASE_URL=settings.database,
        REDIS_URL=settings.redis_url,
        **media_environment(settings),
    )


async def healthy(host: str, port: int, path: str = "/health") -> bool:
    """True when `GET /health`, or another path, answers 200 in time."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            reader, writer = await asyncio.open_connection(host, port)
            with closing(writer):
                writer.write(request.encode())
                return b" 200 " in await reader.readline()
    except (OSError, ValueError, TimeoutError):
        return False


def port_is_free(host: str, port: int) -> bool:
    """True when the web process could listen there now; raises OSError for an address that is not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True
