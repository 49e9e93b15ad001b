"""Warming up the database path before a fork, so that children share its memory.

A channel process pays 9-11 MB for its first queries when they are compiled after the fork, and about 4
when the very same engine object has run them before it (measured; see docs/benchmarks.md).
"""

import asyncio

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from core.instances import load_instance
from core.messages import OutboundMessage
from db import channels, conversations, cooldowns, inbox, outbox, settings, usage
from db.database import Database

_rehearsed: dict[str, Database] = {}


class _Undo(Exception):
    """Rolls the rehearsal back."""


def rehearse_database(url: str) -> None:
    """Run every query of a turn once inside a transaction that is rolled back, then close all
    connections and the loop. Call before the fork, in a process without a running loop."""
    database = Database(url)
    asyncio.run(_rehearse(database))
    _rehearsed[url] = database


def rehearsed_database(url: str) -> Database:
    """The database object that was warmed up before the fork, or a new one."""
    return _rehearsed.pop(url, None) or Database(url)


async def _rehearse(database: Database) -> None:
    try:
        async with database.transaction() as conn:
            await _turn(conn)
            raise _Undo
    except _Undo:
        pass
    async with database.reading() as conn:
        await conn.execute(select(1))
    await database.close()


async def _turn(conn: AsyncConnection) -> None:
    channel = await channels.add_channel(conn, kind="rehearsal", slug="rehearsal", name="", config={})
    await load_instance(conn, channel, {})
    await settings.get_setting(conn, settings.CONFIG_VERSION, 0)
    await inbox.retake(conn, channel)
    await inbox.waiting_chats(conn, channel)
    row = await inbox.add_update(conn, channel, "1", "1", "{}", "new")
    await inbox.claim_next(conn, channel, "1")
    if row is not None:
        await inbox.save_preview(conn, row.id, "1")
        await inbox.finish_update(conn, row.id)
    await conversations.close_conversation(conn, channel, "1", "new")
    talk = await conversations.add_conversation(
        conn, channel_id=channel, chat_key="1", title="", language="", messages=0, closed_reason=""
    )
    said = {"id": "1", "role": "user", "text": "1", "source": "", "source_id": "", "status": "final"}
    answered = {"id": "2", "role": "assistant", "text": "1", "source": "faq"}
    await conversations.add_messages(conn, talk, [{**said, "speaker": "", "external_id": ""}, answered])
    await conversations.open_conversation(conn, channel, "1")
    await conversations.last_messages(conn, talk, 50)
    await cooldowns.all_cooldowns(conn)
    await usage.add_usage(
        conn, [{"provider_id": "1", "model": "1", "outcome": "ok", "total_ms": 1.0, "channel_id": channel}]
    )
    payload = OutboundMessage(chat_key="1", text="1").to_json()
    sent = await outbox.add_outbound(conn, channel, "1", payload, None)
    await outbox.mark(conn, sent, sent_ids=["1"], status="sent")
    await outbox.pending(conn, channel)
