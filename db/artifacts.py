"""Artifacts: what was made, as rows; the files lie in the media store."""

from typing import Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    insert,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, new_id, now


class Artifact(Row):
    """One stored file. `key` is its place in the store, `digest` its SHA-256, `seconds` a video's length.
    `settings` are the parameters that made it (prompt, seed, model, ...), `parent_id` the artifact it was
    made from. `sent` holds the ids under which channels know it ("telegram:12345" -> file_id), so that it is
    uploaded once. `poster` is the key of a video's first frame."""

    __tablename__ = "artifact"
    __table_args__ = (
        Index("artifact_made", "created_at"),
        Index("artifact_job", "job_id"),
        Index("artifact_chat", "channel_id", "chat_key"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    job_id: Mapped[str | None] = mapped_column(String(36))
    number: Mapped[int] = mapped_column(Integer, default=0)
    channel_id: Mapped[str | None] = mapped_column(ForeignKey("channel.id", ondelete="SET NULL"))
    chat_key: Mapped[str] = mapped_column(String(100), default="")
    source: Mapped[str] = mapped_column(String(16), default="")
    key: Mapped[str] = mapped_column(String(200))
    poster: Mapped[str] = mapped_column(String(200), default="")
    mime: Mapped[str] = mapped_column(String(40))
    size: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))
    width: Mapped[int] = mapped_column(Integer, default=0)
    height: Mapped[int] = mapped_column(Integer, default=0)
    seconds: Mapped[float | None] = mapped_column(Float)
    prompt: Mapped[str] = mapped_column(Text, default="")
    model: Mapped[str] = mapped_column(String(240), default="")
    task: Mapped[str] = mapped_column(String(24), default="")
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    parent_id: Mapped[str | None] = mapped_column(String(36))
    rating: Mapped[str] = mapped_column(String(16), default="general")
    sent: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    created_at: Mapped[float] = mapped_column(Float)
    expires_at: Mapped[float | None] = mapped_column(Float)


ARTIFACT = cast(Table, Artifact.__table__)
BLANK: dict[str, Any] = {
    "job_id": None, "number": 0, "channel_id": None, "chat_key": "", "source": "", "poster": "", "width": 0,
    "height": 0, "seconds": None, "prompt": "", "model": "", "task": "", "settings": {}, "parent_id": None,
    "rating": "general", "sent": {}, "expires_at": None,
}  # fmt: skip


async def add_artifact(conn: AsyncConnection, **values: Any) -> str:
    """Store a row; returns its id."""
    row = {**BLANK, "id": new_id(), "created_at": now(), **values}
    await conn.execute(insert(ARTIFACT).values(row))
    return str(row["id"])


async def get_artifact(conn: AsyncConnection, artifact_id: str) -> Any | None:
    """One artifact."""
    return (await conn.execute(select(ARTIFACT).where(ARTIFACT.c.id == artifact_id))).one_or_none()


async def artifacts_of(conn: AsyncConnection, job_id: str) -> list[Any]:
    """What a job made, in its order."""
    query = select(ARTIFACT).where(ARTIFACT.c.job_id == job_id).order_by(ARTIFACT.c.number)
    return list((await conn.execute(query)).all())
