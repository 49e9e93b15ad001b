"""Pictures that visitors of a website uploaded, kept for a while so that a crash loses none."""

from typing import Any, cast

from sqlalchemy import (
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, new_id, now


class Upload(Row):
    """One picture of one chat of a channel; `size` is that of `body` in bytes."""

    __tablename__ = "upload"
    __table_args__ = (Index("upload_room", "channel_id", "size"), Index("upload_age", "created_at"))

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    channel_id: Mapped[str] = mapped_column(ForeignKey("channel.id", ondelete="CASCADE"))
    chat_key: Mapped[str] = mapped_column(String(100))
    mime: Mapped[str] = mapped_column(String(40))
    size: Mapped[int] = mapped_column(Integer)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[float] = mapped_column(Float)


UPLOAD = cast(Table, Upload.__table__)
ADD = insert(UPLOAD)
FIND = select(UPLOAD.c.body, UPLOAD.c.mime, UPLOAD.c.chat_key).where(
    UPLOAD.c.id == bindparam("upload"), UPLOAD.c.channel_id == bindparam("channel")
)
FULL = select(func.coalesce(func.sum(UPLOAD.c.size), 0)).where(UPLOAD.c.channel_id == bindparam("channel"))


async def add_upload(conn: AsyncConnection, channel_id: str, chat_key: str, mime: str, body: bytes) -> str:
    """Store a picture; returns its id."""
    row = {
        "id": new_id(), "channel_id": channel_id, "chat_key": chat_key, "mime": mime, "size": len(body),
        "body": body, "created_at": now(),
    }  # fmt: skip
    await conn.execute(ADD, row)
    return str(row["id"])


async def get_upload(conn: AsyncConnection, channel_id: str, upload_id: str) -> Any | None:
    """A picture of a channel: body, mime, chat_key."""
    return (await conn.execute(FIND, {"upload": upload_id, "channel": channel_id})).one_or_none()


async def uploaded_bytes(conn: AsyncConnection, channel_id: str) -> int:
    """How much a channel's pictures take."""
    return int((await conn.execute(FULL, {"channel": channel_id})).scalar_one())


async def forget_old(conn: AsyncConnection, before: float, limit: int) -> int:
    """Delete pictures that are older than a moment; returns how many."""
    old = select(UPLOAD.c.id).where(UPLOAD.c.created_at < before).limit(limit)
    return (await conn.execute(delete(UPLOAD).where(UPLOAD.c.id.in_(old)))).rowcount
