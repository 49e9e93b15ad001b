"""The gateway in the whole web application, served over real HTTP, with a fake vendor behind it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
import uvicorn

from admin.app import create_app
from admin.protocol import LimitedProtocol
from admin.services import Services, wired
from core.fleet.control import Control
from core.gateway_keys import GatewayKeyInput
from core.settings import Settings
from db import providers, routes, settings, slugs, usage
from db.database import Database
from tests.api.conftest import Supervisor
from tests.fakes.llm import FakeLLM, fake_llm

ADMIN = "fixed-admin-token"
HELLO = [{"role": "user", "content": "Hello there"}]
ROUTES: dict[str, list[str]] = {
    "main": ["one:model-a"],
    "pair": ["one:model-a", "two:model-b"],
    "shop": ["two:model-b"],
}


class Orchestrator(Supervisor):
    """The supervisor's end of the control socket, quiet."""

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        await asyncio.Event().wait()
        yield {}


@dataclass
class Site:
    """A running web process; `key` is a gateway key that may use everything."""

    url: str
    key: str
    services: Services
    vendor: FakeLLM
    client: aiohttp.ClientSession

    @property
    def base(self) -> str:
        """The base URL for clients."""
        return f"{self.url}/v1"

    def headers(self, key: str | None = None) -> dict[str, str]:
        """Authorization."""
        return {"Authorization": f"Bearer {self.key if key is None else key}"}

    async def make_key(self, **config: Any) -> str:
        """Another gateway key."""
        return (await self.services.gateway_keys.create("test", GatewayKeyInput(**config)))[0]

    async def post(self, body: Any, key: str | None = None, path: str = "/chat/completions") -> "Answer":
        """A whole request and its answer; `body` is JSON or bytes."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.client.post(self.base + path, data=data, headers=self.headers(key)) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def ask(self, model: str = "main", **more: Any) -> "Answer":
        """A chat completion."""
        return await self.post({"model": model, "messages": HELLO, **more})

    async def get(self, path: str, key: str | None = None) -> "Answer":
        """A GET."""
        async with self.client.get(self.base + path, headers=self.headers(key)) as answer:
            return Answer(answer.status, answer.headers, await answer.read())

    async def set_route(self, route_id: str, candidates: list[str], **config: Any) -> None:
        """Make or change a route."""
        async with self.services.database.transaction() as conn:
            await slugs.save_one(
                conn, routes.Route, route_id, name=route_id, candidates=candidates, settings=config
            )
            await settings.bump_config(conn)
        self.services.book._looked_at = float("-inf")

    async def usage(self, count: int) -> list[Any]:
        """The rows of usage, oldest first, when there are that many."""
        async with asyncio.timeout(5):
            while True:
                async with self.services.database.reading() as conn:
                    rows = await usage.recent_usage(conn, 0.0)
                if len(rows) >= count:
                    assert len(rows) == count, rows
                    return sorted(rows, key=lambda row: (row.created_at, row.id))
                await asyncio.sleep(0.02)


@dataclass
class Answer:
    """A response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        """The body's error; it must have OpenAI's shape."""
        body = self.json
        assert set(body) == {"error"} and set(body["error"]) == {"message", "type", "param", "code"}, body
        assert body["error"]["message"] and body["error"]["type"]
        return body["error"]

    @property
    def events(self) -> list[Any]:
        """The events of a stream; "[DONE]" as it is."""
        assert self.headers["Content-Type"].startswith("text/event-stream"), self
        data = [line[6:] for line in self.body.decode().split("\n") if line.startswith("data: ")]
        return [one if one == "[DONE]" else json.loads(one) for one in data]

    @property
    def text(self) -> str:
        """The text of a stream's first choice."""
        return "".join(
            choice["delta"].get("content") or ""
            for event in self.events
            if event != "[DONE]"
            for choice in event.get("choices", ())
            if choice["index"] == 0
        )


async def seed(database: Database, url: str) -> None:
    """Two providers at the fake vendor, and the routes."""
    async with database.transaction() as conn:
        for name in ("one", "two"):
            await providers.save_provider(
                conn, name, kind="openai-compatible", name=name, base_url=url, config={}, enabled=True
            )
        for route, candidates in ROUTES.items():
            await slugs.save_one(conn, routes.Route, route, name=route, candidates=candidates, settings={})
        await settings.bump_config(conn)


@asynccontextmanager
async def serving(database: Database, folder: Path, vendor: FakeLLM) -> AsyncIterator[Site]:
    """A web process in this loop."""
    keys = {"one": ["sk-secret-one-0123456789"], "two": ["sk-secret-two-0123456789"]}
    supervisor = Orchestrator(keys=keys)
    config = Settings(home=folder, admin_token=ADMIN, _env_file=None)
    services = wired(config, database, cast(Control, supervisor))
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(services), http=LimitedProtocol, ws="none", log_config=None, access_log=False,
            timeout_graceful_shutdown=1,
        )
    )  # fmt: skip
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as uvloop does
    running = asyncio.create_task(server._serve([listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    key, _ = await services.gateway_keys.create("test", GatewayKeyInput(name="test"))
    async with aiohttp.ClientSession() as client:
        yield Site(f"http://127.0.0.1:{listener.getsockname()[1]}", key, services, vendor, client)
    server.should_exit = True
    await running
    await services.router.close()


@pytest.fixture
async def vendor() -> AsyncIterator[FakeLLM]:
    async with fake_llm() as fake:
        yield fake


@pytest.fixture
async def site(sqlite_url: str, tmp_path: Path, vendor: FakeLLM) -> AsyncIterator[Site]:
    database = Database(sqlite_url)
    await seed(database, vendor.url)
    async with serving(database, tmp_path, vendor) as running:
        yield running
    await database.close()
