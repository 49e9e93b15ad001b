"""A running panel: the real application on a real port, with a stand-in for the orchestrator."""

import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from admin.app import create_app
from admin.services import wired
from core.fleet.control import Control
from core.fleet.control_server import ControlServer
from core.settings import Settings
from core.setup_link import setup_link
from db.channels import all_channels, observe_channel
from db.database import Database
from tests.installation import free_port

PASSWORD = "correct horse battery"
# Safari takes no Secure cookie on plain loopback, and neither does httpx: it gets the plain one.
HEADERS = {"accept-language": "en", "user-agent": "Mozilla/5.0 Version/18.0 Safari/605.1.15"}


class Orchestrator:
    """Answers the control socket: what is wanted runs at once."""

    def __init__(self, path: Path, database: Database) -> None:
        self.database = database
        self.lines: list[dict[str, Any]] = []
        self.keys: dict[str, list[str]] = {}
        self.proxies: dict[str, list[str]] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.engine: dict[str, Any] = {}
        names = ("wake", "seal", "snapshot", "logs", "provider_secrets", "restart", "start_engine")
        self.server = ControlServer(path, {name: self._operation(name) for name in names})

    def _operation(self, name: str) -> Any:
        async def operation(args: dict[str, Any]) -> dict[str, Any]:
            self.asked.append((name, args))
            answer: dict[str, Any] = await getattr(self, name)(args)
            return answer

        return operation

    async def wake(self, args: dict[str, Any]) -> dict[str, Any]:
        if args["what"] == "config":
            await self.reconcile()
        return {}

    async def reconcile(self) -> None:
        async with self.database.transaction() as conn:
            for row in await all_channels(conn):
                wanted = "READY" if row.enabled else "STOPPED"
                if row.state not in (wanted, "PARKED"):
                    await observe_channel(conn, row.id, state=wanted, state_since=time.time())
                    self.server.publish({"topic": "state", "channel_id": row.id, "state": wanted})

    async def park(self, slug: str, reason: str) -> None:
        async with self.database.transaction() as conn:
            row = next(row for row in await all_channels(conn) if row.slug == slug)
            await observe_channel(conn, row.id, state="PARKED", state_reason=reason, state_since=time.time())
        self.server.publish({"topic": "state", "channel_id": row.id, "state": "PARKED"})

    async def seal(self, args: dict[str, Any]) -> dict[str, Any]:
        return {"sealed": f"sealed:{args['aad']}"}

    async def snapshot(self, args: dict[str, Any]) -> dict[str, Any]:
        async with self.database.reading() as conn:
            rows = await all_channels(conn)
        seen = {
            row.id: {"kind": row.kind, "slug": row.slug, "state": row.state, "reason": row.state_reason,
                     "since": row.state_since, "pid": 4711, "restarts": 0, "pss_kb": 9_830 + 512 * place,
                     "loop_lag_ms": 0.4}
            for place, row in enumerate(rows) if row.enabled
        }  # fmt: skip
        return {
            "started_at": 0,
            "channels": seen,
            "components": {"orchestrator": {}, "web": {}, "forkserver": {}, "engine": self.engine},
        }

    async def logs(self, args: dict[str, Any]) -> dict[str, Any]:
        return {"lines": [line for line in self.lines if line["id"] > args["after"]]}

    async def provider_secrets(self, args: dict[str, Any]) -> dict[str, Any]:
        name = args["provider_id"]
        return {"keys": self.keys.get(name, []), "proxies": self.proxies.get(name, [])}

    async def restart(self, args: dict[str, Any]) -> dict[str, Any]:
        async with self.database.transaction() as conn:
            await observe_channel(conn, args["channel_id"], state="READY", state_reason="")
        self.server.publish({"topic": "state", "channel_id": args["channel_id"], "state": "READY"})
        return {}

    async def start_engine(self, args: dict[str, Any]) -> dict[str, Any]:
        return {}


class Panel:
    """A panel and a browser's worth of HTTP client."""

    def __init__(self, url: str, database: Database, orchestrator: Orchestrator, home: Path) -> None:
        self.url = url
        self.home = home
        self.database = database
        self.orchestrator = orchestrator
        self.client = self.new_client()

    def new_client(self, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, headers={**HEADERS, **headers}, timeout=15)

    async def link(self) -> str:
        link = await setup_link(self.database, self.url)
        assert link is not None
        return link.removeprefix(self.url)

    async def set_up(self, login: str = "ann") -> None:
        form = {"login": login, "password": PASSWORD, "again": PASSWORD}
        answer = await self.client.post(await self.link(), data=form)
        assert answer.status_code == 303, answer.text

    async def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', (await self.client.get("/people")).text)
        assert found is not None
        return found[1]

    async def post(self, path: str, data: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
        return await self.client.post(path, data={"csrf": await self.csrf(), **(data or {})}, **more)


@asynccontextmanager
async def running_panel(folder: Path, sqlite_template: Path) -> AsyncIterator[Panel]:
    """A panel with an empty database."""
    shutil.copy(sqlite_template, folder / "botyard.db")
    kept = sqlite_template.parent / "cache"  # compressing the files takes longer than most tests
    kept.mkdir(exist_ok=True)
    (folder / "cache").symlink_to(kept)
    port = free_port()
    settings = Settings(BOTYARD_HOME=folder, BOTYARD_PORT=port, _env_file=None)
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database_url, connections=4)
    orchestrator = Orchestrator(settings.run_dir / "control.sock", database)
    orchestrator.server.open()
    control = await Control.connect(orchestrator.server.path, timeout=1.0)
    services = wired(settings, database, control)
    app = create_app(services)
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_config=None, ws="none", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    panel = Panel(f"http://127.0.0.1:{port}", database, orchestrator, folder)
    try:
        yield panel
    finally:
        await panel.client.aclose()
        server.should_exit = True
        await task
        await services.router.close()
        await control.close()
        orchestrator.server.close()
        await database.close()
