"""What tests of text engines share: a ledger that says yes, stand-in servers with a plan, a host's front."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from providers.engine.process import started_at
from providers.engine.text.calls import open_http
from providers.engine.text.memory import NoRoom
from providers.engine.text.model import TextModel, TextSettings
from providers.engine.text.proxy import TextProxy
from providers.engine.text.service import TextService

ROOT = Path(__file__).parent.parent.parent
STANDIN = ROOT / "tests" / "engine" / "text_standin.py"
LARGE = 100 << 30


@dataclass
class Lease:
    """Room in the fake ledger; `log` is what was asked of it."""

    memory: "FakeMemory"
    log: list[tuple[Any, ...]]

    visible = "3,5"

    @property
    def device_total(self) -> int:
        return self.memory.device_total

    async def adjust(self, device: int, host: int, wait: bool = True) -> None:
        if host > self.memory.host_free:
            raise NoRoom(host, self.memory.host_free)
        self.log.append(("adjust", device, host))

    def mark(self, in_use: int, pinned: bool) -> None:
        self.memory.marks.append((in_use, pinned))

    async def release(self) -> None:
        self.log.append(("release",))


@dataclass
class FakeMemory:
    """A ledger with room for everything, unless `refuse` holds an error."""

    folder: Path
    refuse: NoRoom | None = None
    host_free: int = LARGE
    device_total: int = LARGE
    log: list[tuple[Any, ...]] = field(default_factory=list)
    marks: list[tuple[int, bool]] = field(default_factory=list)

    async def reserve(self, model: str, device: int, host: int = 0, devices: int = 1) -> Lease:
        if self.refuse:
            raise self.refuse
        self.log.append(("reserve", model, devices))
        return Lease(self, self.log)

    async def held(self, pids: Sequence[int]) -> int | None:
        files = [self.folder / f"held-{pid}" for pid in pids if started_at(pid)]
        return sum(int(file.read_text() or 0) for file in files if file.exists())


class Bench:
    """A service over stand-ins behind a real HTTP server on loopback."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.memory = FakeMemory(folder)
        self.service: TextService
        self.url = ""
        self.http: aiohttp.ClientSession

    def plan(self, **plan: Any) -> None:
        (self.folder / "plan.json").write_text(json.dumps(plan))

    def calls(self, key: str = "path") -> list[Any]:
        """What the stand-ins noted under a key."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [entry[key] for entry in map(json.loads, lines) if key in entry]

    async def post(self, path: str, **body: Any) -> tuple[int, Any, Any]:
        """The status, the body and the headers of an answer."""
        async with self.http.post(self.url + path, json=body) as answer:
            data = await answer.read()
            is_json = answer.content_type == "application/json"
            return answer.status, json.loads(data) if is_json else data.decode(), answer.headers

    async def chat(self, model: str = "org/tiny", **more: Any) -> tuple[int, Any, Any]:
        messages = [{"role": "user", "content": "hello"}]
        return await self.post("/v1/chat/completions", model=model, messages=messages, **more)


def settings_for(folder: Path, **more: Any) -> TextSettings:
    commands = {"vllm": (sys.executable, str(STANDIN), str(folder / "plan.json"))}
    quick = {"freed_seconds": 0.3, "drain_seconds": 5.0, "start_seconds": 15.0, "residual": 100}
    values = {
        "command": commands.__getitem__,
        "folder": folder / "run",
        "environment": dict(os.environ),
        **quick,
        **more,
    }
    return TextSettings(**values)


@asynccontextmanager
async def bench(folder: Path, models: Sequence[TextModel], **settings: Any) -> AsyncIterator[Bench]:
    made = Bench(folder)
    made.plan()
    async with open_http() as http:
        made.http = http
        made.service = TextService(settings_for(folder, **settings), made.memory, http)
        made.service.offer(models)
        app = web.Application()
        app.add_routes(TextProxy(made.service, http).routes())
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield made
        finally:
            await made.service.close()
            await runner.cleanup()


async def until(check: Any, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not check():
            await asyncio.sleep(0.02)
