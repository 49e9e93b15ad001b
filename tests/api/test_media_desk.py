"""The desk over both databases: orders that come at once, and what limits hold for them."""

import asyncio
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import func, select

from admin.gateway.images_desk import Ask, Desk
from admin.gateway.images_reading import Caller
from admin.services import wired
from core.fleet.control import Control
from core.gateway_keys import GatewayKeyInput
from core.jobs.order import Wish
from core.media.opening import open_store
from core.settings import Settings
from db import media, providers, settings, slugs
from db.database import Database
from db.jobs import JOB
from db.limits import Reservation, add_limit
from providers.media import registry
from providers.media.types import Task
from tests.api.conftest import Supervisor
from tests.jobs import studio


@pytest.fixture
async def desk(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Desk, Caller]:
    monkeypatch.setitem(registry.KINDS, "studio", "tests.jobs.studio")
    monkeypatch.setattr("providers.media.offers._LISTED", {})
    studio.VENDORS.update(one=studio.Vendor())
    config = Settings(home=tmp_path, _env_file=None)
    services = wired(config, database, cast(Control, Supervisor()))
    async with database.transaction() as conn:
        await providers.save_provider(
            conn, "one", kind="studio", name="one", base_url="http://one.example", config={}, enabled=True
        )
        await slugs.save_one(
            conn, media.MediaRoute, "images", name="i", makes="image", candidates=["one:fast"], settings={}
        )
        await add_limit(conn, subject_kind="key", measure="messages", amount=3, period="month", action="stop")
        await settings.bump_config(conn)
    key, _ = await services.gateway_keys.create("test", GatewayKeyInput(name="test"))
    return Desk(services, open_store(config)), Caller(await services.gateway_keys.find(key))


async def count(database: Database, table: object) -> int:
    async with database.reading() as conn:
        return int((await conn.execute(select(func.count()).select_from(table))).scalar_one())  # type: ignore[arg-type]


async def test_the_same_order_many_times_at_once(desk: tuple[Desk, Caller], database: Database) -> None:
    at, caller = desk
    ask = Ask("images", Wish(Task.TEXT_TO_IMAGE, "x"), again="one")
    placed = await asyncio.gather(*(at.order(caller, ask) for _ in range(3)))
    assert len({one.row.id for one in placed}) == 1 and sum(one.new for one in placed) == 1
    assert await count(database, JOB) == 1
    assert await count(database, Reservation.__table__) == 1


async def test_no_order_gets_past_its_limit(desk: tuple[Desk, Caller], database: Database) -> None:
    at, caller = desk
    ask = Ask("images", Wish(Task.TEXT_TO_IMAGE, "x"))
    found = await asyncio.gather(*(at.order(caller, ask) for _ in range(8)), return_exceptions=True)
    assert sorted(getattr(one, "status", 200) for one in found) == [200] * 3 + [429] * 5
    assert await count(database, JOB) == 3
    for row in [one.row for one in found if not isinstance(one, BaseException)]:
        assert await at.cancel(row.id) and not await at.cancel(row.id)
    assert await count(database, Reservation.__table__) == 0
