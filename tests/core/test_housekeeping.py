"""Old rows are cleared away; what is still needed stays."""

from sqlalchemy import select

from core.housekeeping import clear
from core.messages import OutboundMessage
from db.base import now
from db.channels import add_channel
from db.database import Database
from db.inbox import InboxRow, add_update, finish_update
from db.outbox import OutboxRow, add_outbound, mark


async def test_closed_rows_are_cleared_in_batches_and_open_ones_stay(database: Database) -> None:
    payload = OutboundMessage(chat_key="1", text="hi").to_json()
    async with database.transaction() as conn:
        channel = await add_channel(conn, kind="test", slug="a", name="a", config={})
        for number in range(600):
            row = await add_update(conn, channel, str(number), f"chat{number}", "{}", "running")
            assert row is not None
            if number:
                await finish_update(conn, row.id, "dead" if number == 1 else "done")
        sent = await add_outbound(conn, channel, "1", payload, None)
        await mark(conn, sent, status="sent")
        waiting = await add_outbound(conn, channel, "1", payload, None)
    assert await clear(database, now() - 60) == 0
    assert await clear(database, now() + 1) == 599
    async with database.reading() as conn:
        assert sorted((await conn.execute(select(InboxRow.status))).scalars()) == ["dead", "running"]
        assert list((await conn.execute(select(OutboxRow.id))).scalars()) == [waiting]
