"""Whole turns in one process: real rows, real route, a fake vendor over HTTP, a recording channel."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import select

from core.host import ChannelHost
from core.instances import load_instance
from core.provider_secrets import ProviderSecrets
from db.channels import add_channel
from db.conversations import Conversation, Message
from db.database import Database
from db.inbox import InboxRow
from db.knowledge import add_faq, save_base
from db.outbox import OutboxRow
from db.providers import save_provider
from db.routes import Route
from db.settings import bump_config
from db.slugs import save_one
from db.usage import Usage
from tests.core.channels import RecordingChannel, incoming
from tests.fakes.llm import FAULTS, FakeLLM, Healthy, fake_llm

KEYS = {"fake": ProviderSecrets(("sk-test-1",))}


class Desk:
    """One channel process's inside, without the process."""

    def __init__(self, database: Database, llm: FakeLLM, channel_id: str) -> None:
        self.database, self.llm, self.channel_id = database, llm, channel_id
        self.channel = RecordingChannel()
        self.events: list[dict[str, Any]] = []
        self.host: ChannelHost
        self.writer: asyncio.Task[None]

    async def start(self) -> None:
        async with self.database.reading() as conn:
            instance = await load_instance(conn, self.channel_id, KEYS)
        assert instance is not None
        self.host = ChannelHost(self.database, self.channel, instance, KEYS, self.events.append)
        self.writer = asyncio.create_task(self.host.write_marks())
        await self.host.recover()

    async def ask(self, *texts: str, chat: str = "chat", **extra: Any) -> str:
        """Send messages and wait until all is answered; returns the last answer."""
        number = len(await self.rows(InboxRow)) + 1
        await self.host.accept([incoming(number + i, chat, words, **extra) for i, words in enumerate(texts)])
        await asyncio.wait_for(self.host.drain(), 20)
        return self.channel.sent[-1][1]

    async def rows(self, kind: type[Any]) -> list[Any]:
        async with self.database.reading() as conn:
            return list(
                (await conn.execute(select(kind.__table__).order_by(*kind.__table__.primary_key))).all()
            )

    async def messages(self) -> list[tuple[str, str, str, str]]:
        async with self.database.reading() as conn:
            table = Message.__table__
            found = (await conn.execute(select(table).order_by(table.c.created_at, table.c.id))).all()
        return [(row.role, row.text, row.source, row.status) for row in found]

    async def stop(self) -> None:
        self.writer.cancel()
        await self.host.close()


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with fake_llm() as llm:
        async with database.transaction() as conn:
            await save_provider(
                conn, "fake", kind="openai-compatible", name="Fake", base_url=llm.url, config={},
                enabled=True, managed="",
            )  # fmt: skip
            await save_one(
                conn, Route, "default", name="", candidates=["fake:one", "fake:two"], settings={}, managed=""
            )
            await save_base(conn, "shop", name="Shop", managed="")
            await add_faq(
                conn,
                base_id="shop",
                question="Do you deliver?",
                answer="Yes, **daily**.",
                match="close",
                managed="",
            )
            channel_id = await add_channel(
                conn, kind="test", slug="a", name="a", config={}, base_ids=["shop"]
            )
        desk = Desk(database, llm, channel_id)
        await desk.start()
        yield desk
        await desk.stop()


async def test_a_model_answers_and_everything_is_in_the_rows(desk: Desk) -> None:
    desk.llm.script("one", Healthy("Hello there", chunks=4))
    assert await desk.ask("hi") == "Hello there"
    assert await desk.messages() == [
        ("user", "hi", "", "final"),
        ("assistant", "Hello there", "model", "final"),
    ]
    (usage,) = await desk.rows(Usage)
    assert (usage.provider_id, usage.model, usage.outcome, usage.attempt) == ("fake", "one", "ok", 1)
    assert usage.channel_id == desk.channel_id and usage.total_ms > 0
    assert [row.status for row in await desk.rows(InboxRow)] == ["done"]
    assert [row.status for row in await desk.rows(OutboxRow)] == ["sent"]
    assert "".join(desk.channel.shown) == "Hello there"
    assert [event["event"] for event in desk.events if event["t"] == "event"][0] == "message"


async def test_the_next_question_brings_the_past_along(desk: Desk) -> None:
    desk.llm.script("one", Healthy("First answer"))
    await desk.ask("first")
    await desk.ask("second")
    assert [turn["content"] for turn in desk.llm.requests[-1].body["messages"]] == [
        "first",
        "First answer",
        "second",
    ]


async def test_faq_answers_without_a_model(desk: Desk) -> None:
    assert await desk.ask("do you deliver") == "Yes, **daily**."
    assert desk.llm.requests == []
    assert (await desk.messages())[-1][2:] == ("faq", "final")


async def test_a_failing_model_is_replaced_without_a_word(desk: Desk) -> None:
    desk.llm.script("one", FAULTS["error_500"])
    desk.llm.script("two", Healthy("Second model"))
    assert await desk.ask("hi") == "Second model"
    assert [row.outcome for row in await desk.rows(Usage)] != ["ok"]


async def test_when_all_fail_people_read_a_friendly_text_with_a_retry_button(desk: Desk) -> None:
    for model in ("one", "two"):
        desk.llm.script(model, FAULTS["error_500"])
    async with desk.database.transaction() as conn:
        await save_one(conn, Route, "default", settings={"deadline": 0.5})
        await bump_config(conn)
    await desk.host.look()
    answer = await desk.ask("привет", language="ru")
    assert answer.startswith("Сейчас я не могу ответить") and "500" not in answer
    assert desk.channel.messages[-1].buttons == (("retry", "retry"),)
    assert (await desk.messages())[-1][2:] == ("error", "failed")


async def test_retry_replaces_the_last_answer(desk: Desk) -> None:
    desk.llm.script("one", Healthy("Bad"), Healthy("Better"))
    await desk.ask("hi")
    assert await desk.ask("/retry") == "Better"
    assert desk.llm.requests[-1].body["messages"][-1]["content"] == "hi"
    assert [row[1:] for row in await desk.messages()] == [
        ("hi", "", "final"), ("Bad", "model", "replaced"), ("Better", "model", "final"),
    ]  # fmt: skip


async def test_new_closes_the_conversation(desk: Desk) -> None:
    await desk.ask("hi")
    assert "new conversation" in await desk.ask("/new")
    await desk.ask("again")
    conversations = await desk.rows(Conversation)
    assert sorted(row.closed_reason for row in conversations) == ["", "new"]
    assert len(desk.llm.requests[-1].body["messages"]) == 1


async def test_commands_need_no_model(desk: Desk) -> None:
    assert "Ask me" in await desk.ask("/start")
    assert "/retry" in await desk.ask("/help")
    assert "Задайте" in await desk.ask("/start", language="ru")
    assert "do not know this command" in await desk.ask("/dance")
    assert "no question" in await desk.ask("/retry")
    assert await desk.messages() == [] and desk.llm.requests == []


async def test_stop_keeps_the_partial_text_and_closes_the_call(desk: Desk) -> None:
    desk.llm.script("one", Healthy(chunks=200, delay=0.02))
    asking = asyncio.create_task(desk.ask("tell me a story"))
    while len(desk.channel.shown) < 3:
        await asyncio.sleep(0.01)
    assert desk.host.stop("chat") is True
    answer = await asking
    await asyncio.wait_for(desk.llm.wait_disconnect(), 1)
    assert answer and answer in "".join(desk.channel.shown)
    assert (await desk.messages())[-1][2:] == ("model", "stopped")
    assert [row.outcome for row in await desk.rows(Usage)] == ["cancelled"]
    assert desk.host.stop("chat") is False


async def test_stop_before_the_first_token(desk: Desk) -> None:
    desk.llm.script("one", Healthy(first=30))
    asking = asyncio.create_task(desk.ask("hi"))
    while not desk.llm.requests:
        await asyncio.sleep(0.01)
    desk.host.stop("chat")
    assert await asyncio.wait_for(asking, 2) == "Stopped."


async def test_one_turn_per_chat_in_order_and_chats_side_by_side(desk: Desk) -> None:
    desk.llm.script("one", Healthy("ok", delay=0.02))
    await desk.host.accept([incoming(n, f"chat{n % 3}", f"{n}") for n in range(12)])
    await asyncio.wait_for(desk.host.drain(), 20)
    asked = [seen.body["messages"][-1]["content"] for seen in desk.llm.requests]
    for chat in range(3):
        assert [n for n in asked if int(n) % 3 == chat] == [str(n) for n in range(12) if n % 3 == chat]
    assert len(desk.channel.sent) == 12


async def test_bad_updates_are_set_aside_alone(desk: Desk) -> None:
    await desk.host.accept([incoming(1, "chat", "ignored")])
    bad = incoming(2, "chat", "x")
    await desk.host.accept([type(bad)("2", "chat", '{"chat": "chat"}')])
    assert await desk.ask("do you deliver") == "Yes, **daily**."
    assert [(row.status, row.error) for row in await desk.rows(InboxRow)] == [
        ("done", ""), ("dead", "no text"), ("done", ""),
    ]  # fmt: skip


async def test_a_message_of_a_megabyte_gets_a_clear_answer(desk: Desk) -> None:
    assert "too long" in await desk.ask("x" * 1_000_000)
    assert desk.llm.requests == []


async def test_a_crashed_turn_is_run_again_and_answers_once(desk: Desk) -> None:
    desk.llm.script("one", Healthy(first=30), Healthy("Here I am"))
    await desk.host.accept([incoming(1, "chat", "hi")])
    while not desk.llm.requests:
        await asyncio.sleep(0.01)
    await desk.stop()  # nothing of the turn is stored: as after kill -9
    second = Desk(desk.database, desk.llm, desk.channel_id)
    await second.start()
    await asyncio.wait_for(second.host.drain(), 10)
    assert second.channel.sent == [("chat", "Here I am")]
    assert await second.messages() == [
        ("user", "hi", "", "final"),
        ("assistant", "Here I am", "model", "final"),
    ]
    await second.stop()
    await desk.start()


async def test_a_turn_that_kills_its_process_four_times_is_set_aside(desk: Desk) -> None:
    await desk.stop()
    async with desk.database.transaction() as conn:
        await conn.execute(
            InboxRow.__table__.insert().values(  # type: ignore[attr-defined]
                channel_id=desk.channel_id, external_id="9", chat_key="chat",
                raw=incoming(9, "chat", "hi").raw,
                status="running", attempts=3, error="", received_at=1.0,
            )
        )  # fmt: skip
    await desk.start()
    await asyncio.wait_for(desk.host.drain(), 10)
    assert "went wrong" in desk.channel.sent[-1][1]
    assert [row.status for row in await desk.rows(InboxRow)] == ["dead"]
    assert desk.llm.requests == []
