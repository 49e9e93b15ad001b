"""The web process over real HTTP with media routes, the studio as their vendor, and a runner beside it."""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from core.jobs.bench import Bench
from core.jobs.runner import Runner
from core.media.opening import open_store
from core.media.presets import Presets
from core.routing.cooldown import Cooldown
from db import jobs, media, providers, routes, settings, slugs
from db.database import Database
from db.job_lists import list_jobs
from db.limits import add_limit
from providers.media import registry
from providers.media.cards import Card, Option
from providers.media.types import Task
from tests.fakes.llm import fake_llm
from tests.gateway.conftest import Site, serving
from tests.jobs import studio
from tests.jobs.conftest import work

CARDS = (
    Card("fast", "Fast", studio.ALL, quality=50, count=4, seeds=True, price=0.02, high_side=1024, inputs=2,
         options=(Option("style", "text"), Option("quality", "choice", choices=("standard", "hd")))),
    Card("fine", "Fine", (*studio.ALL, Task.INPAINT), quality=80, low_side=64, high_side=1024, multiple=8),
    Card("clip", "Clip", (Task.TEXT_TO_VIDEO, Task.IMAGE_TO_VIDEO), seconds=(1.0, 5.0), high_side=1280),
)  # fmt: skip
ROUTES = {"images": ("image", ["one:fast"]), "fallback": ("image", ["one:fast", "two:fine"]),
          "videos": ("video", ["two:clip"]), "empty": ("image", [])}  # fmt: skip


@dataclass
class Studio:
    """A site and its runner."""

    site: Site
    bench: Bench
    runner: Runner
    gate: asyncio.Event

    @property
    def key(self) -> str:
        return self.site.key

    @property
    def one(self) -> studio.Vendor:
        return studio.VENDORS["one"]

    @property
    def two(self) -> studio.Vendor:
        return studio.VENDORS["two"]

    def hold(self) -> None:
        """Jobs that begin from now on wait for `go`."""
        self.gate.clear()

    def go(self) -> None:
        self.gate.set()

    async def api(self, method: str, path: str, body: Any = None, key: str | None = None, **more: Any) -> Any:
        """A call of the REST API: its status, and its body as JSON."""
        headers = {**self.site.headers(key), **more.pop("headers", {})}
        sent = {"data": io.BytesIO(body)} if isinstance(body, bytes) else {"json": body}
        url = f"{self.site.url}/api/v1{path}"
        async with self.site.client.request(method, url, headers=headers, **sent, **more) as answer:
            return answer.status, await answer.json()

    async def read(self, url: str) -> bytes:
        """What lies at one of our own signed addresses, without a token."""
        path = url.removeprefix(self.site.services.settings.url)
        assert path != url, url
        async with self.site.client.get(self.site.url + path) as answer:
            assert answer.status == 200, answer.status
            return await answer.read()

    async def row(self, job_id: str) -> Any:
        async with self.site.services.database.reading() as conn:
            return await jobs.get_job(conn, job_id)

    async def until(self, job_id: str, status: str) -> Any:
        """The job's row when it has this status."""
        async with asyncio.timeout(5):
            while (row := await self.row(job_id)).status != status:
                await asyncio.sleep(0.01)
        return row

    async def jobs(self) -> list[Any]:
        async with self.site.services.database.reading() as conn:
            return await list_jobs(conn)

    async def limit(self, **values: Any) -> None:
        usual = {
            "subject_kind": "key",
            "measure": "messages",
            "amount": 1,
            "period": "hour",
            "action": "stop",
        }
        async with self.site.services.database.transaction() as conn:
            await add_limit(conn, **{**usual, **values})
            await settings.bump_config(conn)
        self.site.services.book._looked_at = float("-inf")


async def _seed(database: Database, llm: str) -> None:
    async with database.transaction() as conn:
        await providers.save_provider(
            conn, "llm", kind="openai-compatible", name="llm", base_url=llm, config={}, enabled=True
        )
        await slugs.save_one(conn, routes.Route, "main", name="main", candidates=["llm:model-a"], settings={})
        for name in ("one", "two"):
            await providers.save_provider(
                conn, name, kind="studio", name=name, base_url=f"http://{name}.example", config={},
                enabled=True, managed="",
            )  # fmt: skip
        for name, (makes, candidates) in ROUTES.items():
            await slugs.save_one(
                conn, media.MediaRoute, name, name=name, makes=makes, candidates=candidates, settings={}
            )
        await settings.bump_config(conn)


@asynccontextmanager
async def _working(site: Site, folder: Path) -> AsyncIterator[Studio]:
    """A runner in this loop, woken as the supervisor wakes one."""
    services = site.services

    async def told(_channel_id: str) -> None:
        pass

    bench = Bench(
        services.database, services.book, Cooldown(), open_store(services.settings), folder / "jobs", told,
        Presets(services.database),
    )  # fmt: skip
    gate = asyncio.Event()
    gate.set()

    async def step(job_id: str, attempt: int, _life: int) -> None:
        await gate.wait()
        await work(bench, job_id, attempt)

    runner = Runner(bench, {"cloud": 2, "gpu": 1}, step)
    control: Any = services.control
    hint = control.wake

    async def wake(what: str = "config", channel_id: str | None = None) -> bool:
        if what == "jobs":
            runner.wake()
        return bool(await hint(what, channel_id))

    control.wake = wake
    task = asyncio.create_task(runner.run())
    try:
        yield Studio(site, bench, runner, gate)
    finally:
        while not task.done():  # asyncio.wait_for of Python 3.11 may lose a cancellation
            task.cancel()
            await asyncio.wait({task}, timeout=0.1)
        await bench.close()


CACHE: list[Path] = []  # of compressed files and compiled templates: made once for all tests


@pytest.fixture
async def shop(
    sqlite_url: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Studio]:
    """A studio whose vendors are `one` (pictures) and `two` (pictures and clips)."""
    CACHE[:] = CACHE or [tmp_path_factory.mktemp("web-cache")]
    (tmp_path / "cache").symlink_to(CACHE[0])
    monkeypatch.setitem(registry.KINDS, "studio", "tests.jobs.studio")
    monkeypatch.setattr("providers.media.offers._LISTED", {})
    monkeypatch.setattr(studio, "CARDS", CARDS)
    studio.VENDORS.clear()
    studio.VENDORS.update(one=studio.Vendor(), two=studio.Vendor())
    database = Database(sqlite_url)
    async with fake_llm() as vendor:
        await _seed(database, vendor.url)
        async with serving(database, tmp_path, vendor) as site, _working(site, tmp_path) as found:
            yield found
    await database.close()
