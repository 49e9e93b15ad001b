"""Conversations and their messages."""

from typing import Any, cast

from sqlalchemy import (
    JSON,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    and_,
    bindparam,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, new_id, now


class Conversation(Row):
    """One talk in one chat of one channel; /new closes it and the next message opens another.

    `chat_key` is the chat's address within the channel (for Telegram "chat" or "chat/thread",
    for a widget the visitor's id). `settings` are generation settings (core/sampling.py) of this talk alone.
    """

    __tablename__ = "conversation"
    __table_args__ = (
        Index(
            "conversation_open", "channel_id", "chat_key", unique=True,
            sqlite_where=text("closed_at IS NULL"), postgresql_where=text("closed_at IS NULL"),
        ),
        Index("conversation_recent", "updated_at"),
    )  # fmt: skip

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    channel_id: Mapped[str] = mapped_column(ForeignKey("channel.id", ondelete="CASCADE"))
    chat_key: Mapped[str] = mapped_column(String(100))
    title: Mapped[str] = mapped_column(String(200), default="")
    language: Mapped[str] = mapped_column(String(8), default="")
    messages: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)
    closed_at: Mapped[float | None] = mapped_column(Float)
    closed_reason: Mapped[str] = mapped_column(String(32), default="")
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")


class Message(Row):
    """One message of a conversation, by a user, an assistant or an operator.

    `source` says what answered (model, faq, knowledge, command, operator, error) and `source_id` which one
    (a model's name, the id of an entry). `status` is final, stopped (partial text kept) or failed.
    `reasoning` is kept only where a route shows it. `attachments` are pictures that came with a question:
    {"kind": "image", "ref": what its channel needs to fetch it}.
    """

    __tablename__ = "message"
    __table_args__ = (Index("message_order", "conversation_id", "created_at", "id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversation.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(16))  # user, assistant
    text: Mapped[str] = mapped_column(Text)
    speaker: Mapped[str] = mapped_column(String(120), default="")
    source: Mapped[str] = mapped_column(String(16), default="")
    source_id: Mapped[str] = mapped_column(String(200), default="")
    status: Mapped[str] = mapped_column(String(16), default="final")
    external_id: Mapped[str] = mapped_column(String(100), default="")
    reasoning: Mapped[str] = mapped_column(Text, default="", server_default="")
    attachments: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list, server_default="[]")
    created_at: Mapped[float] = mapped_column(Float)


# Statements are made once: building one costs more than running it.
TALK = cast(Table, Conversation.__table__)
SAID = cast(Table, Message.__table__)
MESSAGE_DEFAULTS = {
    "speaker": "", "source": "", "source_id": "", "status": "final", "external_id": "", "reasoning": "",
    "attachments": [],
}  # fmt: skip
OPEN = (
    TALK.c.channel_id == bindparam("channel"),
    TALK.c.chat_key == bindparam("chat"),
    TALK.c.closed_at.is_(None),
)
FIND_OPEN = select(TALK).where(*OPEN)
CLOSE = update(TALK).where(*OPEN)
ADD = insert(TALK)
ADD_MESSAGES = insert(SAID)
COUNT = (
    update(TALK)
    .where(TALK.c.id == bindparam("talk"))
    .values(messages=TALK.c.messages + bindparam("more"), updated_at=bindparam("at"))
)
NEWEST = (
    select(SAID)
    .where(SAID.c.conversation_id == bindparam("talk"))
    .order_by(SAID.c.created_at.desc(), SAID.c.id.desc())
    .limit(bindparam("most"))
)


async def open_conversation(conn: AsyncConnection, channel_id: str, chat_key: str) -> Any | None:
    """The open conversation of a chat, if there is one."""
    return (await conn.execute(FIND_OPEN, {"channel": channel_id, "chat": chat_key})).one_or_none()


async def add_conversation(conn: AsyncConnection, **values: Any) -> str:
    """Insert a conversation; returns its id."""
    row = {"id": new_id(), "created_at": now(), "updated_at": now(), **values}
    await conn.execute(ADD, row)
    return str(row["id"])


async def close_conversation(conn: AsyncConnection, channel_id: str, chat_key: str, reason: str) -> None:
    """Close the open conversation of a chat."""
    where = {"channel": channel_id, "chat": chat_key}
    await conn.execute(CLOSE, {**where, "closed_at": now(), "closed_reason": reason})


async def add_messages(conn: AsyncConnection, conversation_id: str, rows: list[dict[str, Any]]) -> None:
    """Append messages (id, role, text, ...) and count them on the conversation."""
    same = {**MESSAGE_DEFAULTS, "conversation_id": conversation_id, "created_at": now()}
    messages = [{**same, **row} for row in rows]
    await conn.execute(ADD_MESSAGES, messages)
    last = max(float(message["created_at"]) for message in messages)
    await conn.execute(COUNT, {"talk": conversation_id, "more": len(rows), "at": max(now(), last)})


async def last_messages(conn: AsyncConnection, conversation_id: str, limit: int) -> list[Any]:
    """The newest `limit` messages, oldest first."""
    rows = (await conn.execute(NEWEST, {"talk": conversation_id, "most": limit})).all()
    return list(reversed(rows))


async def messages_before(
    conn: AsyncConnection, conversation_id: str, before: str | None, limit: int
) -> list[Any]:
    """The newest `limit` messages older than the message `before` (without one: of all), oldest first."""
    query = select(Message.__table__).where(Message.conversation_id == conversation_id)
    if before is not None:
        anchor = select(Message.created_at).where(Message.id == before).scalar_subquery()
        query = query.where(
            or_(Message.created_at < anchor, and_(Message.created_at == anchor, Message.id < before))
        )
    query = query.order_by(Message.created_at.desc(), Message.id.desc()).limit(limit)
    return list(reversed((await conn.execute(query)).all()))


async def list_conversations(
    conn: AsyncConnection, *, channel_id: str | None = None, before: float | None = None, limit: int = 50
) -> list[Any]:
    """Conversations, most recently active first; `before` is an `updated_at` to page on."""
    query = select(Conversation.__table__).order_by(Conversation.updated_at.desc()).limit(limit)
    if channel_id:
        query = query.where(Conversation.channel_id == channel_id)
    if before is not None:
        query = query.where(Conversation.updated_at < before)
    return list((await conn.execute(query)).all())


async def get_conversation(conn: AsyncConnection, conversation_id: str) -> Any | None:
    """One conversation."""
    query = select(Conversation.__table__).where(Conversation.id == conversation_id)
    return (await conn.execute(query)).one_or_none()


async def save_settings(conn: AsyncConnection, conversation_id: str, values: dict[str, Any]) -> None:
    """Replace a conversation's own generation settings."""
    await conn.execute(update(TALK).where(TALK.c.id == conversation_id).values(settings=values))


async def replace_message(conn: AsyncConnection, message_id: str) -> None:
    """Mark an answer as replaced by a newer one."""
    await conn.execute(update(Message).where(Message.id == message_id).values(status="replaced"))


async def change_message(conn: AsyncConnection, message_id: str, **values: Any) -> None:
    """Change a message: the one that told of a job takes on what came of it."""
    await conn.execute(update(Message).where(Message.id == message_id).values(**values))
