"""The inbox: every update, stored before it is confirmed to whoever sent it."""

from typing import Any, cast

from sqlalchemy import (
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    select,
    text,
    update,
)  # fmt: skip
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, now
from db.database import DIALECTS, insert_unless_there

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


# Statements are made once: building one costs more than running it.
INBOX = cast(Table, InboxRow.__table__)
COLUMNS = (INBOX.c.id, INBOX.c.external_id, INBOX.c.chat_key, INBOX.c.raw,
           INBOX.c.attempts, INBOX.c.preview_id, INBOX.c.received_at)  # fmt: skip
ADD = {
    name: insert_unless_there(name, INBOX, ("channel_id", "external_id")).returning(*COLUMNS)
    for name in DIALECTS
}
WAITING = (
    INBOX.c.channel_id == bindparam("channel"),
    INBOX.c.chat_key == bindparam("chat"),
    INBOX.c.status == "new",
)
CLAIM = (
    update(INBOX)
    .where(INBOX.c.id == select(func.min(INBOX.c.id)).where(*WAITING).scalar_subquery())
    .values(status="running")
    .returning(*COLUMNS)
)
CHANGE = update(INBOX).where(INBOX.c.id == bindparam("row_id"))
FINISH = CHANGE.where(INBOX.c.status == "running")
RUNS = (INBOX.c.channel_id == bindparam("channel"), INBOX.c.status == "running")
RUNNING_UPDATES = select(*COLUMNS).where(*RUNS).order_by(INBOX.c.id)
RUNNING_UPDATE = select(*COLUMNS).where(*RUNS, INBOX.c.chat_key == bindparam("chat"))
RETAKE = update(INBOX).where(*RUNS).values(attempts=INBOX.c.attempts + 1).returning(*COLUMNS)


async def add_update(
    conn: AsyncConnection, channel_id: str, external_id: str, chat_key: str, raw: str, status: str
) -> Any | None:
    """Insert an update; returns its columns, or None when it was here already."""
    values = {
        "channel_id": channel_id, "external_id": external_id, "chat_key": chat_key, "raw": raw,
        "status": status, "attempts": 0, "error": "", "received_at": now(),
    }  # fmt: skip
    return (await conn.execute(ADD[conn.dialect.name], values)).one_or_none()


async def claim_next(conn: AsyncConnection, channel_id: str, chat_key: str) -> Any | None:
    """Mark the oldest waiting update of a chat as running; the chat must have none running."""
    return (await conn.execute(CLAIM, {"channel": channel_id, "chat": chat_key})).one_or_none()


async def finish_update(conn: AsyncConnection, row_id: int, status: str = "done", error: str = "") -> bool:
    """Close a running update as done or dead; False when it does not run (any more)."""
    values = {"row_id": row_id, "status": status, "error": error, "finished_at": now()}
    return bool((await conn.execute(FINISH, values)).rowcount)


async def running_updates(conn: AsyncConnection, channel_id: str) -> list[Any]:
    """All running updates of a channel, oldest first."""
    return list((await conn.execute(RUNNING_UPDATES, {"channel": channel_id})).all())


async def running_update(conn: AsyncConnection, channel_id: str, chat_key: str) -> Any | None:
    """The running update of a chat."""
    return (await conn.execute(RUNNING_UPDATE, {"channel": channel_id, "chat": chat_key})).one_or_none()


async def retake(conn: AsyncConnection, channel_id: str) -> list[Any]:
    """All running updates of a channel whose process has just started, their attempts counted up."""
    rows = (await conn.execute(RETAKE, {"channel": channel_id})).all()
    return sorted(rows, key=lambda row: int(row.id))


async def waiting_chats(conn: AsyncConnection, channel_id: str) -> list[str]:
    """Chats that have a waiting update."""
    query = select(InboxRow.chat_key).where(InboxRow.channel_id == channel_id, InboxRow.status == "new")
    return list((await conn.execute(query.distinct())).scalars())


async def save_preview(conn: AsyncConnection, row_id: int, preview_id: str) -> None:
    """Remember the message that shows the unfinished answer."""
    await conn.execute(CHANGE, {"row_id": row_id, "preview_id": preview_id})


async def dead_updates(conn: AsyncConnection, channel_id: str, limit: int = 50) -> list[Any]:
    """Updates that were set aside, newest first."""
    query = select(InboxRow.__table__).where(InboxRow.channel_id == channel_id, InboxRow.status == "dead")
    return list((await conn.execute(query.order_by(InboxRow.id.desc()).limit(limit))).all())


async def forget_done(conn: AsyncConnection, before: float, limit: int) -> int:
    """Delete answered updates that were finished before a moment; returns how many."""
    old = select(INBOX.c.id).where(INBOX.c.status == "done", INBOX.c.finished_at < before).limit(limit)
    return (await conn.execute(delete(INBOX).where(INBOX.c.id.in_(old)))).rowcount
