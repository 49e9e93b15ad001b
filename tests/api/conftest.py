"""The REST API over a real database, with a stand-in for the supervisor's end of the control socket."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI
from starlette.datastructures import State

from admin.api.rest import rest_app
from admin.services import wired
from core.fleet.control import Control, ControlUnavailable
from core.provider_secrets import ProviderSecrets
from core.settings import Settings
from db.database import Database

ADMIN = "fixed-admin-token"


@dataclass
class Supervisor:
    """What the API asks of the control socket."""

    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    keys: dict[str, list[str]] = field(default_factory=dict)
    proxies: dict[str, list[str]] = field(default_factory=dict)
    lines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    woken: list[tuple[str, str | None]] = field(default_factory=list)
    restarted: list[str] = field(default_factory=list)
    away: bool = False

    def _here(self) -> None:
        if self.away:
            raise ControlUnavailable("away")

    async def seal(self, aad: str, text: str) -> str:
        self._here()
        return f"sealed[{aad}]"

    async def wake(self, what: str = "config", channel_id: str | None = None) -> bool:
        self.woken.append((what, channel_id))
        return not self.away

    async def snapshot(self) -> dict[str, Any]:
        self._here()
        components = {"web": {"pss_kb": 1000}, "forkserver": {}, "orchestrator": {"pss_kb": None}}
        return {"started_at": 1.0, "channels": self.channels, "components": components}

    async def logs(self, channel_id: str, after: int = 0, limit: int = 500) -> list[dict[str, Any]]:
        self._here()
        return [line for line in self.lines.get(channel_id, []) if line["id"] > after][-limit:]

    async def provider_secrets(self, provider_id: str) -> ProviderSecrets:
        self._here()
        return ProviderSecrets(
            tuple(self.keys.get(provider_id, ())), tuple(self.proxies.get(provider_id, ()))
        )

    async def restart(self, channel_id: str) -> None:
        self.restarted.append(channel_id)


@pytest.fixture
def supervisor() -> Supervisor:
    return Supervisor()


@pytest.fixture
async def rows(sqlite_url: str) -> AsyncIterator[Database]:
    database = Database(sqlite_url)
    yield database
    await database.close()


@pytest.fixture
def app(rows: Database, supervisor: Supervisor, tmp_path: Path) -> FastAPI:
    settings = Settings(home=tmp_path, admin_token=ADMIN, _env_file=None)
    state = State()
    state.services = wired(settings, rows, cast(Control, supervisor))
    return rest_app(state)


@pytest.fixture
async def anonymous(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, client=("192.0.2.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://botyard.test") as client:
        yield client


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"authorization": f"Bearer {ADMIN}"}
    transport = httpx.ASGITransport(app)
    base = "http://botyard.test/api/v1"
    async with httpx.AsyncClient(transport=transport, base_url=base, headers=headers) as client:
        yield client
