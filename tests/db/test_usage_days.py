"""Usage summed up by day: whole days, once, and the same figures before and after."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select

from core.housekeeping import clear, sum_up_usage
from db.database import Database
from db.usage import Usage, add_usage
from db.usage_charts import Slice, Wanted, slices
from db.usage_days import DAY, LATE, UsageDay, start_of, sum_up

NOON = start_of("2026-11-18") + DAY / 2


def row(at: float, **values: Any) -> dict[str, Any]:
    usual = {
        "created_at": at, "provider_id": "groq", "model": "m", "outcome": "ok", "input_tokens": 10,
        "output_tokens": 5, "cost": 0.25, "total_ms": 1.0, "channel_id": "shop",
    }  # fmt: skip
    return {**usual, **values}


async def filled(database: Database) -> None:
    rows = [
        row(NOON),
        row(NOON + 1, outcome="timeout", output_tokens=None, cost=None),
        row(NOON + 2, outcome="cancelled", estimated=True),
        row(NOON + 3, cost=None, source="api", channel_id=None, key_id="k"),
        row(NOON + DAY, input_tokens=7),
        row(NOON + 3 * DAY, input_tokens=9),
    ]
    async with database.transaction() as conn:
        await add_usage(conn, rows)


async def read(database: Database, **only: str) -> list[Slice]:
    async with database.reading() as conn:
        found = await slices(conn, Wanted(since=NOON - DAY, **only))
    return sorted(found, key=lambda one: (one.day, one.source, one.model))


async def test_days_are_summed_once_and_count_the_same(database: Database) -> None:
    await filled(database)
    before = await read(database)
    assert await sum_up_usage(database, NOON + 3 * DAY) == 2
    assert await sum_up_usage(database, NOON + 3 * DAY) == 0
    assert await read(database) == before
    first = before[1]
    assert (first.answers, first.failed, first.cancelled, first.unpriced) == (1, 1, 1, 0)
    assert (first.input_tokens, first.output_tokens, first.cost) == (30, 10, 0.5)
    assert before[0].key_id == "k" and before[0].unpriced == 1
    assert [one.day for one in await read(database, provider_id="other")] == []


async def test_only_what_is_summed_is_cleared_away(database: Database) -> None:
    await filled(database)
    before = await read(database)
    assert await clear(database, NOON + 10 * DAY) == 0
    await sum_up_usage(database, NOON + 3 * DAY)
    assert await clear(database, NOON + 10 * DAY) == 5
    assert await read(database) == before
    async with database.reading() as conn:
        assert (await conn.execute(select(func.count()).select_from(Usage))).scalar_one() == 1


async def test_a_day_waits_for_its_last_answers(database: Database) -> None:
    await filled(database)
    end = start_of("2026-11-19")
    assert await sum_up_usage(database, end + LATE - 1) == 0
    assert await sum_up_usage(database, end + LATE) == 1


async def test_a_day_that_was_interrupted_is_summed_again_as_a_whole(database: Database) -> None:
    await filled(database)
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as conn:
            await sum_up(conn, "2026-11-18")
            raise ZeroDivisionError
    async with database.reading() as conn:
        assert (await conn.execute(select(func.count()).select_from(UsageDay))).scalar_one() == 0
    before = await read(database)
    await sum_up_usage(database, NOON + 3 * DAY)
    async with database.transaction() as conn:
        await sum_up(conn, "2026-11-18")
    assert [replace(one) for one in await read(database)] == before
