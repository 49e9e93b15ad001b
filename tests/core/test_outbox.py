"""The outbox sends in order, survives its process, and never loses or doubles a part."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from core.channel import ChatGone, Rejected, RetryLater
from core.messages import OutboundMessage
from core.outbox import Outbox
from db.channels import add_channel
from db.conversations import add_conversation, open_conversation
from db.database import Database
from db.outbox import OutboxRow, add_outbound
from tests.core.channels import RecordingChannel


class Desk:
    """One outbox with its writer running."""

    def __init__(self, database: Database, channel_id: str) -> None:
        self.database, self.channel_id, self.channel = database, channel_id, RecordingChannel()
        self.outbox = Outbox(database, channel_id, self.channel)
        self.writer = asyncio.create_task(self.outbox.write_marks())

    async def write(self, chat: str, text: str) -> int:
        payload = OutboundMessage(chat_key=chat, text=text).to_json()
        async with self.database.transaction() as conn:
            return await add_outbound(conn, self.channel_id, chat, payload, None)

    async def rows(self) -> dict[int, tuple[str, list[str], str]]:
        async with self.database.reading() as conn:
            found = (await conn.execute(select(OutboxRow.__table__).order_by(OutboxRow.id))).all()
        return {row.id: (row.status, row.sent_ids, row.error) for row in found}


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with database.transaction() as conn:
        channel_id = await add_channel(conn, kind="test", slug="a", name="a", config={})
    desk = Desk(database, channel_id)
    yield desk
    desk.writer.cancel()


async def test_rows_are_sent_in_order_within_a_chat_and_marked(desk: Desk) -> None:
    for number in range(6):
        await desk.write(f"chat{number % 2}", str(number))
    await desk.outbox.collect()
    await desk.outbox.drain()
    assert [text for chat, text in desk.channel.sent if chat == "chat0"] == ["0", "2", "4"]
    assert [text for chat, text in desk.channel.sent if chat == "chat1"] == ["1", "3", "5"]
    assert {status for status, _, _ in (await desk.rows()).values()} == {"sent"}
    await desk.outbox.collect()
    await desk.outbox.drain()
    assert len(desk.channel.sent) == 6


async def test_a_long_message_goes_on_after_a_crash_where_it_stopped(desk: Desk) -> None:
    desk.channel.parts = 3
    await desk.write("chat", "long")
    desk.channel.faults = []
    original = desk.channel.send

    async def dies_after_two(message: OutboundMessage, sent: list[str]) -> AsyncIterator[str]:
        async for part in original(message, sent):
            yield part
            if len(desk.channel.sent) == 2:
                await asyncio.Event().wait()

    desk.channel.send = dies_after_two  # type: ignore[method-assign,assignment]
    await desk.outbox.collect()
    while [row[1] for row in (await desk.rows()).values()] != [["1", "2"]]:
        await asyncio.sleep(0.01)
    second = Desk(desk.database, desk.channel_id)
    second.channel.parts = 3
    await second.outbox.collect()
    await second.outbox.drain()
    second.writer.cancel()
    assert second.channel.sent == [("chat", "long 3/3")]
    assert [row[0] for row in (await desk.rows()).values()] == ["sent"]


async def test_retry_later_keeps_its_place(desk: Desk) -> None:
    desk.channel.faults = [RetryLater(0.02), RetryLater(0.02)]
    await desk.write("chat", "first")
    await desk.write("chat", "second")
    await desk.outbox.collect()
    await desk.outbox.drain()
    assert desk.channel.sent == [("chat", "first"), ("chat", "second")]


async def test_what_can_never_be_sent_is_set_aside_with_its_reason(desk: Desk) -> None:
    desk.channel.faults = [Rejected("message text is empty")]
    await desk.write("chat", "bad")
    await desk.write("chat", "good")
    await desk.outbox.collect()
    await desk.outbox.drain()
    assert desk.channel.sent == [("chat", "good")]
    assert [(status, error) for status, _, error in (await desk.rows()).values()] == [
        ("dead", "rejected: message text is empty"),
        ("sent", ""),
    ]


async def test_a_gone_chat_closes_its_conversation(desk: Desk) -> None:
    async with desk.database.transaction() as conn:
        await add_conversation(
            conn, channel_id=desk.channel_id, chat_key="chat", title="", language="", messages=0,
            closed_reason="",
        )  # fmt: skip
    desk.channel.faults = [ChatGone("bot was blocked by the user")]
    await desk.write("chat", "hello")
    await desk.outbox.collect()
    await desk.outbox.drain()
    async with desk.database.reading() as conn:
        assert await open_conversation(conn, desk.channel_id, "chat") is None


async def test_a_bug_in_a_channel_costs_one_message_not_the_chat(desk: Desk) -> None:
    desk.channel.faults = [ZeroDivisionError(), ZeroDivisionError(), ZeroDivisionError()]
    await desk.write("chat", "bad")
    await desk.write("chat", "good")
    await desk.outbox.collect()
    await desk.outbox.drain()
    assert desk.channel.sent == [("chat", "good")]
