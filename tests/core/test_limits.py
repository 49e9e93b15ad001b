"""Limits: room is reserved and settled exactly, whoever else asks at the same time."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select, update

from core.limits.expected import dearest
from core.limits.limits import Grant, Limits
from core.limits.payer import Payer
from core.limits.rule import Rule, period_of, rules_of
from core.routing.spec import RouteSpec
from db.base import now
from db.database import Database
from db.limits import LimitUse, Reservation, add_limit, all_limits, forget_old
from providers.types import ChatRequest, ChatTurn, ProviderConfig

SPEC = RouteSpec(
    "r", ("a:gpt-4.1", "b:m"), {}, (ProviderConfig("a", "openai"), ProviderConfig("b", "ollama"))
)
REQUEST = ChatRequest((ChatTurn("user", "How long is a harbour?" * 10),))
ANN = Payer("chat", "shop", "shop/1", "ann")
OK = {"provider_id": "a", "outcome": "ok", "input_tokens": 30, "output_tokens": 12, "cost": 0.5}


async def ruled(database: Database, **values: Any) -> tuple[Rule, ...]:
    usual = {"subject_kind": "user", "measure": "messages", "amount": 1, "period": "day", "action": "free"}
    async with database.transaction() as conn:
        await add_limit(conn, **{**usual, **values})
        return rules_of(await all_limits(conn))


async def used(database: Database) -> dict[str, float]:
    async with database.reading() as conn:
        rows = (await conn.execute(select(LimitUse.__table__))).all()
    return {row.subject: row.used for row in rows}


async def reservations(database: Database) -> int:
    async with database.reading() as conn:
        return int((await conn.execute(select(func.count()).select_from(Reservation))).scalar_one())


async def test_fifty_at_once_against_ten(database: Database) -> None:
    rules = await ruled(database, amount=10)

    async def five() -> list[bool]:
        """In a thread and with a connection of its own, as another process has them."""
        own = Database(database.url)
        limits = Limits(own)
        grants = [await limits.begin(ANN, rules, SPEC, REQUEST) for _ in range(5)]
        for grant in grants:
            await limits.settle(grant, [OK])
        await own.close()
        return [grant.allowance.free_only for grant in grants]

    refused = await asyncio.gather(*(asyncio.to_thread(asyncio.run, five()) for _ in range(10)))
    assert sum(map(sum, refused)) == 40
    assert await used(database) == {"shop/ann": 10.0} and await reservations(database) == 0


async def test_without_a_rule_that_binds_nothing_is_touched() -> None:
    limits = Limits(None)  # type: ignore[arg-type]
    assert (await limits.begin(ANN, (), SPEC, REQUEST)).reserved == {}
    rule = Rule("1", "", "key", "", "messages", 1, "day", "stop")
    grant = await limits.begin(ANN, (rule,), SPEC, REQUEST)
    assert grant.reserved == {} and not grant.allowance.stopped
    await limits.settle(grant, [OK])


@pytest.mark.parametrize(
    ("kind", "subject", "binds"),
    [
        ("user", "", ["shop/ann"]), ("user", "shop/bob", []), ("conversation", "", ["shop/1"]),
        ("instance", "shop", ["shop"]), ("instance", "other", []), ("provider", "", ["a", "b"]),
        ("provider", "b", ["b"]), ("key", "", []), ("all", "", [""]),
    ],
)  # fmt: skip
def test_whom_a_rule_binds(kind: str, subject: str, binds: list[str]) -> None:
    assert Rule("1", "", kind, subject, "messages", 1, "day", "free").subjects(ANN, SPEC) == binds


def test_an_operator_who_tries_models_is_no_user_of_a_chat() -> None:
    rule = Rule("1", "", "user", "", "messages", 1, "day", "stop")
    assert rule.subjects(Payer("playground", user_key="ann"), SPEC) == []


async def test_what_happens_at_the_limit(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    limits = Limits(database)
    for kind, action in (("user", "free"), ("instance", "stop"), ("provider", "stop"), ("all", "warn")):
        rules = await ruled(database, subject_kind=kind, action=action, amount=0, period="hour")
    by_kind = {rule.subject_kind: rule for rule in rules}
    end = period_of("hour", now())[1]
    free = await limits.begin(ANN, [by_kind["user"]], SPEC, REQUEST)
    assert (free.allowance.free_only, free.allowance.stopped, free.allowance.resets_at) == (True, False, end)
    stop = await limits.begin(ANN, [by_kind["instance"], by_kind["user"]], SPEC, REQUEST)
    assert stop.allowance.stopped and stop.reserved == {}
    out = await limits.begin(ANN, [by_kind["provider"]], SPEC, REQUEST)
    assert out.allowance.exhausted == {"a", "b"} and not out.allowance.stopped
    for _ in range(3):
        warned = await limits.begin(ANN, [by_kind["all"]], SPEC, REQUEST)
        await limits.settle(warned, [OK])
        assert warned.allowance.resets_at is None and warned.reserved
    assert len([one for one in caplog.messages if "is reached" in one]) == 1
    assert await used(database) == {"": 3.0, "a": 0.0, "b": 0.0, "shop": 0.0, "shop/ann": 0.0}


async def test_what_was_used_is_counted_once(database: Database) -> None:
    await ruled(database, measure="tokens", amount=10_000)
    await ruled(database, measure="money", amount=100, subject_kind="provider")
    rules = await ruled(database, measure="messages", amount=100, subject_kind="all")
    limits = Limits(database)
    failed = {
        "provider_id": "b",
        "outcome": "timeout",
        "input_tokens": 8,
        "output_tokens": None,
        "cost": None,
    }
    grant = await limits.begin(ANN, rules, SPEC, REQUEST)
    assert await reservations(database) == 4
    await limits.settle(grant, [failed, OK])
    await limits.settle(grant, [failed, OK])
    assert await used(database) == {"shop/ann": 50.0, "a": 0.5, "b": 0.0, "": 1.0}
    nobody = await limits.begin(ANN, rules, SPEC, REQUEST)
    await limits.settle(nobody, [failed])
    assert (await used(database))[""] == 1.0


async def test_a_repeated_turn_has_the_same_room(database: Database) -> None:
    rules, limits = await ruled(database), Limits(database)
    first = await limits.begin(ANN, rules, SPEC, REQUEST, "turn-1")
    again = await limits.begin(ANN, rules, SPEC, REQUEST, "turn-1")
    assert not first.allowance.free_only and not again.allowance.free_only
    assert (await limits.begin(ANN, rules, SPEC, REQUEST, "turn-2")).allowance.free_only
    await limits.settle(again, [OK])
    await limits.settle(first, [OK])
    assert await used(database) == {"shop/ann": 1.0}


async def test_what_died_holds_its_room_ten_minutes(database: Database) -> None:
    rules, limits = await ruled(database), Limits(database)
    await limits.begin(ANN, rules, SPEC, REQUEST)
    assert (await limits.begin(ANN, rules, SPEC, REQUEST)).allowance.free_only
    async with database.transaction() as conn:
        await conn.execute(update(Reservation).values(expires_at=now() - 1))
    late = await limits.begin(ANN, rules, SPEC, REQUEST)
    assert not late.allowance.free_only
    async with database.transaction() as conn:
        await forget_old(conn, now(), 100)
    assert await reservations(database) == 1
    await limits.settle(late, [OK])
    assert await used(database) == {"shop/ann": 1.0}


async def test_counters_of_long_past_periods_are_forgotten(database: Database) -> None:
    rules, limits = await ruled(database), Limits(database)
    await limits.settle(await limits.begin(ANN, rules, SPEC, REQUEST), [OK])
    async with database.transaction() as conn:
        assert await forget_old(conn, now(), 100) == 0
        assert await forget_old(conn, now() + 40 * 86400, 100) == 1
    assert await used(database) == {}


def test_periods_begin_by_the_utc_clock() -> None:
    moment = datetime(2026, 12, 31, 23, 59, 30, tzinfo=UTC).timestamp()
    at = {name: [datetime.fromtimestamp(one, UTC) for one in period_of(name, moment)] for name in
          ("minute", "hour", "day", "month")}  # fmt: skip
    assert [one.isoformat()[:16] for one in at["month"]] == ["2026-12-01T00:00", "2027-01-01T00:00"]
    assert [one.isoformat()[:16] for one in at["day"]] == ["2026-12-31T00:00", "2027-01-01T00:00"]
    assert [one.isoformat()[11:16] for one in at["hour"]] == ["23:00", "00:00"]
    assert [one.isoformat()[11:16] for one in at["minute"]] == ["23:59", "00:00"]


def test_money_is_reserved_by_the_dearest_model() -> None:
    assert dearest(SPEC, 1_000_000, 0) == pytest.approx(2.0)
    auto = RouteSpec("r", ("auto",), {}, SPEC.providers)
    assert dearest(auto, 1000, 1000) > 0
    assert dearest(RouteSpec("r", ("b:m", "knowledge", "gone:x"), {}, SPEC.providers), 1000, 1000) == 0
    assert Grant("1", ANN).reserved == {}
