"""Figures for the panel's first page, counted from rows."""

from typing import Any

from sqlalchemy import Integer, cast, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.channels import Channel
from db.conversations import Conversation, Message
from db.jobs import JOB, RUNNING, WAITING


async def messages_by_minute(conn: AsyncConnection, since: float) -> dict[int, int]:
    """Messages of people by the minute since the epoch; asks only conversations active since then."""
    minute = cast(func.floor(Message.created_at / 60), Integer).label("minute")
    query = (
        select(minute, func.count().label("messages"))
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Conversation.updated_at >= since, Message.created_at >= since, Message.role == "user")
        .group_by(minute)
    )
    return {int(row.minute): int(row.messages) for row in await conn.execute(query)}


async def chats_by_channel(conn: AsyncConnection, since: float) -> dict[str, int]:
    """Chats that were active since a moment, by channel."""
    query = (
        select(Conversation.channel_id, func.count(func.distinct(Conversation.chat_key)).label("chats"))
        .where(Conversation.updated_at >= since)
        .group_by(Conversation.channel_id)
    )
    return {row.channel_id: int(row.chats) for row in await conn.execute(query)}


async def jobs_by_status(conn: AsyncConnection, since: float) -> dict[str, int]:
    """Jobs by their status: those ordered since a moment, and all that have not ended."""
    counted = or_(JOB.c.created_at >= since, JOB.c.status.in_((WAITING, RUNNING)))
    rows = await conn.execute(select(JOB.c.status, func.count()).where(counted).group_by(JOB.c.status))
    return {str(status): int(count) for status, count in rows}


async def channel_counts(conn: AsyncConnection) -> list[Any]:
    """How many instances there are, by kind and state."""
    query = select(Channel.kind, Channel.state, func.count().label("count"))
    return list((await conn.execute(query.group_by(Channel.kind, Channel.state))).all())
