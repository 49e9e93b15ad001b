"""Turns under bad conditions: crossing messages, jumping clocks, bugs, rows and keys that change."""

import asyncio
from typing import Any

import pytest

from core.messages import InboundMessage
from core.provider_secrets import ProviderSecrets
from db import inline_sqlite
from db.conversations import Message, add_messages, open_conversation
from db.inbox import InboxRow
from db.usage import Usage
from tests.core.channels import RecordingPreview, incoming
from tests.core.test_turn import KEYS, Desk, desk
from tests.db.trouble import unusable
from tests.fakes.llm import FAULTS, Healthy
from tests.fakes.llm_shapes import OpenAIShape

__all__ = ["desk"]


async def test_a_question_that_waited_comes_after_the_answer_before_it(desk: Desk) -> None:
    desk.llm.script("one", Healthy("A1", first=0.05), Healthy("A2"), Healthy("A3"))
    await desk.ask("q1", "q2")
    assert [text for _, text, _, _ in await desk.messages()] == ["q1", "A1", "q2", "A2"]
    await desk.ask("q3")
    assert [turn["content"] for turn in desk.llm.requests[-1].body["messages"]] == [
        "q1", "A1", "q2", "A2", "q3",
    ]  # fmt: skip


async def test_order_survives_a_clock_that_is_set_back(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(2_000_000_000, 0, -1000))
    for module in ("inbox", "conversations", "outbox"):
        monkeypatch.setattr(f"db.{module}.now", lambda: float(next(times)))
    monkeypatch.setattr("core.records.now", lambda: float(next(times)))
    desk.llm.script("one", Healthy("A1"), Healthy("A2"))
    await desk.ask("q1")
    await desk.ask("q2")
    assert [text for _, text, _, _ in await desk.messages()] == ["q1", "A1", "q2", "A2"]


async def test_a_failed_retry_keeps_the_good_answer(desk: Desk) -> None:
    desk.llm.script("one", Healthy("good"), *[FAULTS["bad_key_401"]] * 3)
    desk.llm.script("two", *[FAULTS["bad_key_401"]] * 3)
    await desk.ask("hi")
    await desk.ask("/retry")
    assert [status for *_, status in await desk.messages()] == ["final", "final", "failed"]


async def test_retry_leaves_the_words_of_an_operator(desk: Desk) -> None:
    desk.llm.script("one", Healthy("first"), Healthy("second"))
    await desk.ask("hi")
    async with desk.database.transaction() as conn:
        talk = await open_conversation(conn, desk.channel_id, "chat")
        assert talk is not None
        said = {"id": "m", "role": "assistant", "text": "a person", "source": "operator"}
        await add_messages(conn, talk.id, [said])
    await desk.ask("/retry")
    assert [(text, status) for _, text, _, status in await desk.messages()] == [
        ("hi", "final"), ("first", "replaced"), ("a person", "final"), ("second", "final"),
    ]  # fmt: skip


async def test_a_language_that_no_database_takes(desk: Desk) -> None:
    assert await desk.ask("do you deliver", language="\x00\ud800") == "Yes, **daily**."
    assert [row.status for row in await desk.rows(InboxRow)] == ["done"]


async def test_a_bug_in_intake_sets_the_update_aside(desk: Desk) -> None:
    def breaks(raw: str) -> InboundMessage | None:
        raise ZeroDivisionError

    read = desk.channel.parse
    desk.channel.parse = breaks  # type: ignore[method-assign]
    await desk.host.accept([incoming(1, "chat", "hi")])
    await asyncio.wait_for(desk.host.drain(), 5)
    desk.channel.parse = read  # type: ignore[method-assign]
    assert await desk.ask("do you deliver") == "Yes, **daily**."
    assert [row.status for row in await desk.rows(InboxRow)] == ["dead", "done"]


async def test_what_cannot_be_stored_does_not_hold_its_chat_up(desk: Desk) -> None:
    read = desk.channel.parse
    desk.channel.parse = (  # type: ignore[method-assign]
        lambda raw: InboundMessage("chat", "\ud800 \x00", speaker="\ud800", language="en")
    )
    await desk.host.accept([incoming(1, "chat", "hi")])
    await asyncio.wait_for(desk.host.drain(), 5)
    desk.channel.parse = read  # type: ignore[method-assign]
    assert await desk.ask("do you deliver") == "Yes, **daily**."


async def test_a_failed_turn_closes_its_preview(desk: Desk) -> None:
    closed: list[str] = []

    class Preview(RecordingPreview):
        def feed(self, text: str) -> None:
            raise ZeroDivisionError

        async def close(self) -> str | None:
            closed.append("closed")
            return None

    desk.channel.preview = lambda message, target: Preview([])  # type: ignore[method-assign]
    desk.llm.script("one", Healthy("Hello"))
    assert "went wrong" in await desk.ask("hi")
    assert closed == ["closed"]


async def test_an_answer_waits_for_the_database(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inline_sqlite, "LOCK_TIMEOUT", 0.02)
    desk.llm.script("one", Healthy("Hello", first=0.1))
    await desk.host.accept([incoming(1, "chat", "hi")])
    while not desk.llm.requests:
        await asyncio.sleep(0.01)
    async with unusable(desk.database):
        while not desk.channel.shown:
            await asyncio.sleep(0.01)
        await desk.host.look()
        await asyncio.sleep(0.1)
    await asyncio.wait_for(desk.host.drain(), 10)
    assert desk.channel.sent == [("chat", "Hello")]
    assert len(await desk.rows(Usage)) == 1 and len(await desk.rows(Message)) == 2


async def test_trouble_is_told_and_so_is_its_end(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def states() -> list[Any]:
        return [(one["state"], one["reason"]) for one in desk.events if one["t"] == "state"]

    desk.host.degraded("no network")
    desk.host.troubled("database", "locked")
    desk.host.degraded("")
    await desk.host.look()
    assert states() == [
        ("DEGRADED", "no network"), ("DEGRADED", "no network; locked"), ("DEGRADED", "locked"), ("READY", ""),
    ]  # fmt: skip


async def test_new_keys_are_used_from_the_next_look_on(desk: Desk) -> None:
    desk.host.rekey({"fake": ProviderSecrets(("sk-new",))})
    await desk.host.look()
    assert desk.host.instance.route.providers[0].keys == ("sk-new",) and KEYS["fake"].keys == ("sk-test-1",)
    assert desk.channel.reloads == 1


async def test_stop_reaches_a_turn_that_waits_for_room(desk: Desk) -> None:
    desk.llm.script("one", Healthy(first=30))
    await desk.host.accept([incoming(1, "chat", "hi")])
    assert desk.host.stop("chat") is True  # before its task has run at all
    await asyncio.wait_for(desk.host.drain(), 5)
    assert desk.channel.sent == [("chat", "Stopped.")]


async def test_a_vendor_that_counts_beyond_all_bounds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    end = OpenAIShape.end
    monkeypatch.setattr(OpenAIShape, "end", lambda self, reason, _: end(self, reason, (-1, 10**25)))
    desk.llm.script("one", Healthy("Hello"))
    assert await desk.ask("hi") == "Hello"
    (row,) = await desk.rows(Usage)
    assert (row.input_tokens, row.output_tokens) == (0, 2**31 - 1)
