"""The inbox: every update, stored before it is confirmed to whoever sent it."""

from typing import Any

from sqlalchemy import Float, ForeignKey, Index, Integer, String, Text, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, now
from db.database import insert_new

RUNNING = text("status = 'running'")


class InboxRow(Row):
    """One raw update. `status`: new (waits for its chat), running, done, dead (set aside, see `error`).

    The partial unique index is the promise of one running turn per chat. `preview_id` is the message
    that shows the unfinished answer, so that a repeated turn edits it and does not send a second one.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        Index("inbox_external", "channel_id", "external_id", unique=True),
        Index(
            "inbox_running", "channel_id", "chat_key", unique=True,
            sqlite_where=RUNNING, postgresql_where=RUNNING,
        ),
        Index("inbox_status", "channel_id", "status", "id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    channel_id: Mapped[str] = mapped_column(ForeignKey("channel.id", ondelete="CASCADE"))
    external_id: Mapped[str] = mapped_column(String(100))
    chat_key: Mapped[str] = mapped_column(String(100))
    raw: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(8))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    preview_id: Mapped[str | None] = mapped_column(String(100))
    error: Mapped[str] = mapped_column(Text, default="")
    received_at: Mapped[float] = mapped_column(Float)
    finished_at: Mapped[float | None] = mapped_column(Float)


COLUMNS = (InboxRow.id, InboxRow.external_id, InboxRow.chat_key, InboxRow.raw,
           InboxRow.attempts, InboxRow.preview_id, InboxRow.received_at)  # fmt: skip


async def add_update(
    conn: AsyncConnection, channel_id: str, external_id: str, chat_key: str, raw: str, status: str
) -> Any | None:
    """Insert an update; returns its columns, or None when it was here already."""
    values = {
        "channel_id": channel_id, "external_id": external_id, "chat_key": chat_key, "raw": raw,
        "status": status, "attempts": 0, "error": "", "received_at": now(),
    }  # fmt: skip
    statement = insert_new(conn, InboxRow, ("channel_id", "external_id")).values(values)
    return (await conn.execute(statement.returning(*COLUMNS))).one_or_none()


async def claim_next(conn: AsyncConnection, channel_id: str, chat_key: str) -> Any | None:
    """Mark the oldest waiting update of a chat as running; the chat must have none running."""
    oldest = (
        select(func.min(InboxRow.id))
        .where(InboxRow.channel_id == channel_id, InboxRow.chat_key == chat_key, InboxRow.status == "new")
        .scalar_subquery()
    )
    statement = update(InboxRow).where(InboxRow.id == oldest).values(status="running")
    return (await conn.execute(statement.returning(*COLUMNS))).one_or_none()


async def finish_update(conn: AsyncConnection, row_id: int, status: str = "done", error: str = "") -> None:
    """Close a running update as done or dead."""
    await conn.execute(
        update(InboxRow).where(InboxRow.id == row_id).values(status=status, error=error, finished_at=now())
    )


async def retake(conn: AsyncConnection, channel_id: str) -> list[Any]:
    """All running updates of a channel whose process has just started, their attempts counted up."""
    statement = (
        update(InboxRow)
        .where(InboxRow.channel_id == channel_id, InboxRow.status == "running")
        .values(attempts=InboxRow.attempts + 1)
        .returning(*COLUMNS)
    )
    return sorted((await conn.execute(statement)).all(), key=lambda row: int(row.id))


async def waiting_chats(conn: AsyncConnection, channel_id: str) -> list[str]:
    """Chats that have a waiting update."""
    query = select(InboxRow.chat_key).where(InboxRow.channel_id == channel_id, InboxRow.status == "new")
    return list((await conn.execute(query.distinct())).scalars())


async def save_preview(conn: AsyncConnection, row_id: int, preview_id: str) -> None:
    """Remember the message that shows the unfinished answer."""
    await conn.execute(update(InboxRow).where(InboxRow.id == row_id).values(preview_id=preview_id))


async def dead_updates(conn: AsyncConnection, channel_id: str, limit: int = 50) -> list[Any]:
    """Updates that were set aside, newest first."""
    query = select(InboxRow.__table__).where(InboxRow.channel_id == channel_id, InboxRow.status == "dead")
    return list((await conn.execute(query.order_by(InboxRow.id.desc()).limit(limit))).all())
