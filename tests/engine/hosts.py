"""A real engine host as a subprocess, on the fake device unless told otherwise."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from providers.media.engine import EngineHost, EngineModel
from providers.types import ProviderConfig

ROOT = Path(__file__).parent.parent.parent
TOKEN = "a-token-of-the-tests"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Host:
    """A running host; `options` are further arguments of its command line."""

    def __init__(self, home: Path, *options: str) -> None:
        self.port = free_port()
        self.home = home
        self.url = f"http://127.0.0.1:{self.port}"
        self.options = options
        self.process: asyncio.subprocess.Process | None = None
        self.provider = EngineHost(ProviderConfig("engine", "engine", self.url, (TOKEN,)))

    def model(self, name: str = "demo") -> EngineModel:
        return self.provider.model(name, TOKEN)

    async def start(self) -> None:
        arguments = ["--port", str(self.port), "--home", str(self.home), *self.options]
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "providers.engine", *arguments, cwd=ROOT, start_new_session=True,
            env={**os.environ, "BOTYARD_ENGINE_TOKEN": TOKEN, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        async with asyncio.timeout(20):
            while not await self.live():
                await asyncio.sleep(0.05)

    async def live(self) -> bool:
        try:
            return (await self.asked("/live"))[0] == 200
        except aiohttp.ClientError:
            return False

    async def health(self) -> tuple[int, dict[str, str]]:
        """The status and what is told, without a token."""
        return await self.asked("/health")

    async def asked(self, path: str) -> tuple[int, dict[str, str]]:
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}{path}") as response:
            return response.status, await response.json()

    async def get(self, path: str) -> Any:
        return await self.provider.call("GET", path, TOKEN)

    async def post(self, path: str, body: Any = None) -> Any:
        return await self.provider.call("POST", path, TOKEN, body)

    async def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        await self.provider.close()
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self.process.wait(), 15)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()


@asynccontextmanager
async def engine_host(home: Path, *options: str) -> AsyncIterator[Host]:
    """A host that is up, and down afterwards."""
    host = Host(home, *(options or ("--device", "fake")))
    try:
        await host.start()
        yield host
    finally:
        await host.stop()
