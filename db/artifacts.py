"""Artifacts: what was made, as rows; the files lie in the media store."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
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
    delete,
    insert,
    or_,
    select,
    update,
)  # fmt: skip
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, new_id, now
from db.jobs import ENDED, JOB


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
        Index("artifact_key", "key"),
        Index("artifact_parent", "parent_id"),
        Index("artifact_expires", "expires_at"),
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


NEWEST = 5000
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


async def sent_of(conn: AsyncConnection, artifact_ids: Collection[str], name: str) -> dict[str, str]:
    """Under which ids a channel knows these artifacts, as far as it does: artifact -> id."""
    query = select(ARTIFACT.c.id, ARTIFACT.c.sent).where(ARTIFACT.c.id.in_(artifact_ids))
    return {str(one): str(sent[name]) for one, sent in await conn.execute(query) if name in sent}


async def remember_sent(conn: AsyncConnection, known: Mapping[str, str], name: str) -> None:
    """Keep the ids under which a channel knows artifacts from now on."""
    query = select(ARTIFACT.c.id, ARTIFACT.c.sent).where(ARTIFACT.c.id.in_(known)).with_for_update()
    for one, sent in list(await conn.execute(query)):
        change = update(ARTIFACT).where(ARTIFACT.c.id == one)
        await conn.execute(change.values(sent={**sent, name: known[one]}))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which artifacts are looked for: `text` is in the prompt, `kind` is image or video, `model` part of the
    model's name, `since` and `until` bound when they were made. `older` is the last id of the page before."""

    text: str = ""
    kind: str = ""
    model: str = ""
    channel_id: str = ""
    source: str = ""
    since: float | None = None
    until: float | None = None
    older: str = ""


async def find_artifacts(conn: AsyncConnection, wanted: Wanted, limit: int) -> list[Any]:
    """Artifacts, newest first."""
    query = select(ARTIFACT)
    for word in wanted.text.split():
        # SQLite knows the case of Latin letters only
        forms = {word, word.lower(), word.upper(), word.capitalize()}
        query = query.where(or_(*(ARTIFACT.c.prompt.icontains(one, autoescape=True) for one in forms)))
    if wanted.kind:
        query = query.where(ARTIFACT.c.mime.startswith(f"{wanted.kind}/", autoescape=True))
    if wanted.model:
        query = query.where(ARTIFACT.c.model.icontains(wanted.model, autoescape=True))
    if wanted.channel_id:
        query = query.where(ARTIFACT.c.channel_id == wanted.channel_id)
    if wanted.source:
        query = query.where(ARTIFACT.c.source == wanted.source)
    if wanted.since is not None:
        query = query.where(ARTIFACT.c.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(ARTIFACT.c.created_at < wanted.until)
    if wanted.older:
        query = query.where(ARTIFACT.c.id < wanted.older)
    return list((await conn.execute(query.order_by(ARTIFACT.c.id.desc()).limit(limit))).all())


async def children_of(conn: AsyncConnection, artifact_id: str, limit: int) -> list[Any]:
    """What was made from an artifact, newest first."""
    query = select(ARTIFACT).where(ARTIFACT.c.parent_id == artifact_id)
    return list((await conn.execute(query.order_by(ARTIFACT.c.id.desc()).limit(limit))).all())


async def models_made(conn: AsyncConnection, limit: int = 100) -> list[str]:
    """The models that the newest artifacts were made by."""
    newest = select(ARTIFACT.c.model).order_by(ARTIFACT.c.id.desc()).limit(NEWEST).subquery()
    query = select(newest.c.model).where(newest.c.model != "").distinct().order_by(newest.c.model)
    return list((await conn.execute(query.limit(limit))).scalars())


async def delete_artifact(conn: AsyncConnection, artifact_id: str) -> Any | None:
    """Delete a row; returns what it was, for its files to be deleted after the commit."""
    gone = delete(ARTIFACT).where(ARTIFACT.c.id == artifact_id).returning(*ARTIFACT.c)
    return (await conn.execute(gone)).one_or_none()


async def delete_expired(conn: AsyncConnection, moment: float, limit: int) -> list[Any]:
    """Delete rows whose time is over; returns what they were."""
    old = select(ARTIFACT.c.id).where(ARTIFACT.c.expires_at < moment).limit(limit)
    gone = delete(ARTIFACT).where(ARTIFACT.c.id.in_(old)).returning(ARTIFACT.c.key, ARTIFACT.c.poster)
    return list((await conn.execute(gone)).all())


async def open_jobs_among(conn: AsyncConnection, job_ids: Collection[str]) -> set[str]:
    """Which of these jobs have not ended: the rows of their files may still come."""
    query = select(JOB.c.id).where(JOB.c.id.in_(job_ids), JOB.c.status.not_in(ENDED))
    return set((await conn.execute(query)).scalars())


async def keys_among(conn: AsyncConnection, keys: Collection[str]) -> set[str]:
    """Which of these places in the store a row names as its file."""
    return set((await conn.execute(select(ARTIFACT.c.key).where(ARTIFACT.c.key.in_(keys)))).scalars())
