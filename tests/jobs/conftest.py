"""A workshop: a bench around a fresh database, with two providers of the studio kind."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from core.jobs.asking import failed, submit, watch
from core.jobs.bench import Bench
from core.jobs.choosing import choose
from core.jobs.ending import finish, keep
from core.jobs.order import Order, Wish
from core.jobs.submit import place
from core.media.presets import Presets
from core.media.store import Store
from core.provider_secrets import ProviderSecrets
from core.routing.book import RouteBook
from core.routing.cooldown import Cooldown
from db import jobs, providers
from db.database import Database
from providers.media import registry
from providers.media.types import Task
from tests.jobs import studio


@dataclass
class Workshop:
    """What tests of jobs work with."""

    bench: Bench
    database: Database
    woken: list[str]

    async def order(self, *lines: str, prompt: str = "a harbour", **values: object) -> str:
        """Order a picture; returns the job's id."""
        wish = values.pop("wish", None) or Wish(Task.TEXT_TO_IMAGE, prompt)
        order = Order(wish, lines or ("one:fast", "two:fast"), str(values.pop("source", "api")), **values)  # type: ignore[arg-type]
        async with self.database.transaction() as conn:
            return str((await place(conn, order)).id)

    async def row(self, job_id: str) -> object:
        async with self.database.reading() as conn:
            return await jobs.get_job(conn, job_id)

    async def does(self, change: Callable[[AsyncConnection, str], Awaitable[Any]], job_id: str) -> Any:
        """Change a job in a transaction of its own."""
        async with self.database.transaction() as conn:
            return await change(conn, job_id)

    async def claim(self) -> object | None:
        async with self.database.transaction() as conn:
            return await jobs.claim_next(conn, ["cloud"])

    async def work(self) -> object:
        """Claim the next job and do all its steps, as the workflow does. Its row afterwards."""
        row = await self.claim()
        assert row is not None
        await work(self.bench, row.id, row.attempt)
        return await self.row(row.id)


async def work(bench: Bench, job_id: str, attempt: int) -> None:
    while await choose(bench, job_id, attempt):
        if await submit(bench, job_id, attempt) and await watch(bench, job_id, attempt):
            error = await keep(bench, job_id, attempt)
            if error is None:
                return await finish(bench, job_id, attempt)
            if row := await bench.job(job_id, attempt):
                await failed(bench, row, error)


@pytest.fixture(autouse=True)
def studio_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind `studio`, known to the registry."""
    monkeypatch.setitem(registry.KINDS, "studio", "tests.jobs.studio")
    monkeypatch.setattr("providers.media.offers._LISTED", {})
    studio.VENDORS.clear()
    studio.VENDORS.update(one=studio.Vendor(), two=studio.Vendor())


@pytest.fixture
async def shop(database: Database, tmp_path: Path) -> AsyncIterator[Workshop]:
    """A workshop on SQLite and on PostgreSQL."""
    async with database.transaction() as conn:
        for name in ("one", "two"):
            await providers.save_provider(
                conn, name, kind="studio", name=name, base_url=f"http://{name}.example", config={},
                enabled=True, managed="",
            )  # fmt: skip
    woken: list[str] = []

    async def secrets(_provider_id: str) -> ProviderSecrets:
        return ProviderSecrets()

    async def wake(channel_id: str) -> None:
        woken.append(channel_id)

    bench = Bench(
        database, RouteBook(database, secrets), Cooldown(), Store("", tmp_path / "media"),
        tmp_path / "jobs", wake, Presets(database),
    )  # fmt: skip
    yield Workshop(bench, database, woken)
    await bench.close()
