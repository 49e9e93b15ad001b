"""The outbox sends in order, survives its process, and never loses or doubles a part."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from core.channel import ChatGone, Rejected, RetryLater
from core.messages import OutboundMessage
from core.outbox import Outbound, Outbox
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


async def test_rows_behind_many_that_cannot_be_sent_now(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.outbox.PAGE", 2)
    desk.channel.faults = [RetryLater(30) for _ in range(4)]
    for number in range(5):
        await desk.write(f"chat{number}", str(number))
    await desk.outbox.collect()
    while not desk.channel.sent:
        await asyncio.sleep(0.01)
    assert desk.channel.sent == [("chat4", "4")]
    await desk.outbox.close()


async def test_a_row_of_another_version_is_set_aside(desk: Desk) -> None:
    async with desk.database.transaction() as conn:
        await add_outbound(conn, desk.channel_id, "chat", {"chat_key": "chat", "sound": "bell"}, None)
    await desk.write("chat", "good")
    await desk.outbox.collect()
    await desk.outbox.drain()
    assert desk.channel.sent == [("chat", "good")]
    assert [status for status, _, _ in (await desk.rows()).values()] == ["dead", "sent"]


async def test_reasons_are_stored_whatever_they_hold(desk: Desk) -> None:
    desk.channel.faults = [Rejected("half \ud800 and nothing \x00")]
    await desk.write("chat", "bad")
    await desk.outbox.collect()
    await asyncio.wait_for(desk.outbox.drain(), 5)
    assert [error for _, _, error in (await desk.rows()).values()] == ["rejected: half \ufffd and nothing "]


async def test_a_row_read_before_its_mark_is_not_sent_twice(desk: Desk) -> None:
    class Slow(Database):
        read, go_on = asyncio.Event(), asyncio.Event()

        @asynccontextmanager
        async def reading(self) -> AsyncIterator[AsyncConnection]:
            async with super().reading() as conn:
                yield conn
            self.read.set()
            await self.go_on.wait()

    slow = Slow(desk.database.url)
    number = await desk.write("chat", "hello")
    outbox = Outbox(slow, desk.channel_id, desk.channel)
    writer = asyncio.create_task(outbox.write_marks())
    collecting = asyncio.create_task(outbox.collect())
    await slow.read.wait()
    outbox.deliver([Outbound(number, "chat", OutboundMessage(chat_key="chat", text="hello"), ())])
    while (await desk.rows())[number][0] != "sent":
        await asyncio.sleep(0.01)
    slow.go_on.set()
    await collecting
    await outbox.drain()
    assert desk.channel.sent == [("chat", "hello")]
    writer.cancel()
    await slow.close()


async def test_closing_waits_for_the_send_under_way_and_marks_it(desk: Desk) -> None:
    sending, arrived = asyncio.Event(), asyncio.Event()
    original = desk.channel.send

    async def slow(message: OutboundMessage, sent: list[str]) -> AsyncIterator[str]:
        sending.set()
        await arrived.wait()
        async for part in original(message, sent):
            yield part

    desk.channel.send = slow  # type: ignore[method-assign,assignment]
    await desk.write("chat", "under way")
    await desk.write("chat", "next")
    await desk.outbox.collect()
    await sending.wait()
    desk.writer.cancel()
    closing = asyncio.create_task(desk.outbox.close())
    await asyncio.sleep(0)
    arrived.set()
    await closing
    assert desk.channel.sent == [("chat", "under way")]
    assert [status for status, _, _ in (await desk.rows()).values()] == ["sent", "new"]
