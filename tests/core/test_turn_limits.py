"""Limits in a chat: who goes on, what people read, and what is counted."""

import pytest
from sqlalchemy import select

import core.routing.facts
from core.moments import when
from db.base import now
from db.limits import LimitUse, add_limit
from db.settings import bump_config
from db.usage import Usage
from tests.core.test_turn import Desk, desk
from tests.fakes.llm import FAULTS, Healthy

__all__ = ["desk"]


async def limit(desk: Desk, **values: object) -> None:
    usual = {"subject_kind": "user", "measure": "messages", "amount": 1, "period": "day", "action": "stop"}
    async with desk.database.transaction() as conn:
        await add_limit(conn, **{**usual, **values})
        await bump_config(conn)
    await desk.host.look()


async def used(desk: Desk) -> dict[str, float]:
    async with desk.database.reading() as conn:
        return {row.subject: row.used for row in (await conn.execute(select(LimitUse.__table__))).all()}


async def test_a_user_over_a_limit_reads_when_it_ends(desk: Desk) -> None:
    await limit(desk)
    desk.llm.script("one", Healthy("Hello"))
    assert await desk.ask("hi", user="ann") == "Hello"
    assert "лимит" in (await desk.ask("hi", user="ann", language="ru")).lower()
    words = await desk.ask("hi", user="ann")
    assert words.startswith("The limit for now is used up. You can go on ") and not words.endswith("later.")
    assert desk.channel.messages[-1].status == "failed" and desk.channel.messages[-1].buttons == ()
    assert await desk.ask("hi", user="bob") == "Hello"
    assert await desk.ask("do you deliver", user="ann") == "Yes, **daily**."
    assert desk.llm.count("one") == 2
    assert await used(desk) == {f"{desk.channel_id}/ann": 1.0, f"{desk.channel_id}/bob": 1.0}


async def test_usage_says_who_what_and_why(desk: Desk) -> None:
    desk.llm.script("one", FAULTS["error_500"])
    await desk.ask("hi", user="ann")
    first, second = sorted(await desk.rows(Usage), key=lambda row: row.attempt)
    assert (first.outcome, second.outcome) == ("transient", "ok")
    assert {first.user_key, second.user_key} == {"ann"} and first.request_id == second.request_id
    assert first.source == "chat" and first.detail["error"] and second.cost == 0.0


async def test_free_models_go_on_and_what_costs_does_not(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await limit(desk, action="free", amount=0)
    desk.llm.script("one", Healthy("Hello"))
    assert await desk.ask("hi", user="ann") == "Hello"  # the fake is on this machine: it costs nothing
    monkeypatch.setattr(core.routing.facts, "is_local", lambda config, vendor: False)
    assert "used up" in await desk.ask("hi", user="ann")
    assert desk.llm.count("one") == 1


async def test_a_provider_over_its_limit_is_passed_over(desk: Desk) -> None:
    await limit(desk, subject_kind="provider", subject="fake", amount=0)
    assert "used up" in await desk.ask("hi")


async def test_a_question_that_nobody_can_read_says_by_how_much(desk: Desk) -> None:
    place = desk.host._place
    config = place.instance.route.providers[0]
    config.options["models"] = [{"name": name, "context": 100} for name in ("one", "two")]
    words = await desk.ask("far too long " * 100)
    assert "I can read 100" in words and desk.channel.messages[-1].buttons == ()


def test_moments_in_words() -> None:
    start = 1_795_000_000.0
    said = [when(start + left, start, "en") for left in (5, 600, 3 * 3600, 86400)]
    assert said[:3] == ["in a minute", "in 10 min", "in 3 h"] and said[3].endswith("UTC")
    assert when(None, now(), "ru") == "позже"
