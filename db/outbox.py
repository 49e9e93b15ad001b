"""The outbox: everything that is to be said in a chat; only the channel's own process sends it."""

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
    bindparam,
    delete,
    insert,
    select,
    update,
)  # fmt: skip
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, now


class OutboxRow(Row):
    """One message to send. `status`: new, sent, dead (see `error`).

    `payload` is an OutboundMessage (core/messages.py) as JSON. `sent_ids` are the external ids of the
    parts that went out, so that a long message goes on after a crash where it stopped.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_status", "channel_id", "status", "id"),
        Index("outbox_message", "channel_id", "message_id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    channel_id: Mapped[str] = mapped_column(ForeignKey("channel.id", ondelete="CASCADE"))
    chat_key: Mapped[str] = mapped_column(String(100))
    message_id: Mapped[str | None] = mapped_column(String(36))
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    status: Mapped[str] = mapped_column(String(8), default="new")
    sent_ids: Mapped[list[str]] = mapped_column(JSON, default=list)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    error: Mapped[str] = mapped_column(Text, default="")
    created_at: Mapped[float] = mapped_column(Float)
    finished_at: Mapped[float | None] = mapped_column(Float)


OUTBOX = cast(Table, OutboxRow.__table__)
ADD = insert(OUTBOX).returning(OUTBOX.c.id)
CHANGE = update(OUTBOX).where(OUTBOX.c.id == bindparam("row_id"))
PENDING = (
    select(OUTBOX)
    .where(
        OUTBOX.c.channel_id == bindparam("channel"),
        OUTBOX.c.status == "new",
        OUTBOX.c.id > bindparam("after"),
    )
    .order_by(OUTBOX.c.id)
    .limit(bindparam("most"))
)
SENT_AS = (
    select(OUTBOX.c.sent_ids)
    .where(OUTBOX.c.channel_id == bindparam("channel"), OUTBOX.c.message_id == bindparam("message"))
    .order_by(OUTBOX.c.id)
)


async def add_outbound(
    conn: AsyncConnection, channel_id: str, chat_key: str, payload: dict[str, Any], message_id: str | None
) -> int:
    """Append a message to a chat's outbox; returns its id."""
    values: dict[str, Any] = {
        "channel_id": channel_id, "chat_key": chat_key, "message_id": message_id, "payload": payload,
        "status": "new", "sent_ids": [], "attempts": 0, "error": "", "created_at": now(),
    }  # fmt: skip
    return int((await conn.execute(ADD, values)).scalar_one())


async def pending(conn: AsyncConnection, channel_id: str, after: int = 0, limit: int = 200) -> list[Any]:
    """Unsent messages with an id above `after`, oldest first."""
    values = {"channel": channel_id, "after": after, "most": limit}
    return list((await conn.execute(PENDING, values)).all())


async def sent_as(conn: AsyncConnection, channel_id: str, message_id: str) -> list[str]:
    """The external ids under which a message went out: of all its rows, the oldest first."""
    rows = await conn.execute(SENT_AS, {"channel": channel_id, "message": message_id})
    return [str(one) for (ids,) in rows for one in ids]


async def mark(conn: AsyncConnection, row_id: int, **values: Any) -> None:
    """Write progress: `sent_ids`, `status` (sent or dead), `error`, `attempts`."""
    if values.get("status") in ("sent", "dead"):
        values["finished_at"] = now()
    await conn.execute(CHANGE, {"row_id": row_id, **values})


async def dead_outbound(conn: AsyncConnection, channel_id: str, limit: int = 50) -> list[Any]:
    """Messages that could not be sent, newest first."""
    query = select(OutboxRow.__table__).where(OutboxRow.channel_id == channel_id, OutboxRow.status == "dead")
    return list((await conn.execute(query.order_by(OutboxRow.id.desc()).limit(limit))).all())


async def forget_sent(conn: AsyncConnection, before: float, limit: int) -> int:
    """Delete messages that were sent before a moment; returns how many. The conversation keeps its own."""
    old = select(OUTBOX.c.id).where(OUTBOX.c.status == "sent", OUTBOX.c.finished_at < before).limit(limit)
    return (await conn.execute(delete(OUTBOX).where(OUTBOX.c.id.in_(old)))).rowcount
