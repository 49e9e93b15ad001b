"""Channel instances: every Telegram bot and every website widget is one row."""

from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Float,
    Index,
    Integer,
    String,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)  # fmt: skip
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, new_id, now


class Channel(Row):
    """Wanted state (`enabled` and the configuration) beside observed state (`state`, `pid`, ...).

    `secret` is sealed (core/secrets.py). `managed` is "" for rows made in the panel, "file" for
    rows of the fleet file, "file-gone" for rows that the file once named and no longer does.
    `base_ids` names the knowledge bases that this instance may use.
    """

    __tablename__ = "channel"
    __table_args__ = (Index("channel_kind_slug", "kind", "slug", unique=True),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))  # a key of core/kinds.py
    slug: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(120))
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    secret: Mapped[str | None] = mapped_column(Text)
    config: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    route_id: Mapped[str | None] = mapped_column(String(32))
    character_id: Mapped[str | None] = mapped_column(String(32))
    base_ids: Mapped[list[str]] = mapped_column(JSON, default=list)
    managed: Mapped[str] = mapped_column(String(16), default="")
    state: Mapped[str] = mapped_column(String(16), default="STOPPED")
    state_reason: Mapped[str] = mapped_column(Text, default="")
    state_since: Mapped[float] = mapped_column(Float, default=0.0)
    pid: Mapped[int | None] = mapped_column(Integer)
    restarts: Mapped[int] = mapped_column(Integer, default=0)
    address: Mapped[str] = mapped_column(String(120), default="")  # @username of a bot
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)


GET = select(Channel.__table__).where(Channel.__table__.c.id == bindparam("wanted"))


async def all_channels(conn: AsyncConnection, kind: str | None = None) -> list[Any]:
    """Every instance, oldest first."""
    query = select(Channel.__table__).order_by(Channel.created_at, Channel.id)
    if kind:
        query = query.where(Channel.kind == kind)
    return list((await conn.execute(query)).all())


async def get_channel(conn: AsyncConnection, channel_id: str) -> Any | None:
    """One instance by its id."""
    return (await conn.execute(GET, {"wanted": channel_id})).one_or_none()


async def find_channel(conn: AsyncConnection, kind: str, slug: str) -> Any | None:
    """One instance by its slug, which is unique within a kind."""
    query = select(Channel.__table__).where(Channel.kind == kind, Channel.slug == slug)
    return (await conn.execute(query)).one_or_none()


async def add_channel(conn: AsyncConnection, **values: Any) -> str:
    """Insert an instance; returns its new id."""
    row = {"id": new_id(), "created_at": now(), "updated_at": now(), **values}
    await conn.execute(insert(Channel).values(row))
    return str(row["id"])


async def change_channel(conn: AsyncConnection, channel_id: str, **values: Any) -> None:
    """Change configuration or wanted state."""
    values["updated_at"] = now()
    await conn.execute(update(Channel).where(Channel.id == channel_id).values(**values))


async def observe_channel(conn: AsyncConnection, channel_id: str, **values: Any) -> None:
    """Write observed state; only the orchestrator does."""
    await conn.execute(update(Channel).where(Channel.id == channel_id).values(**values))


async def delete_channel(conn: AsyncConnection, channel_id: str) -> None:
    """Delete an instance with its conversations, inbox and outbox."""
    await conn.execute(delete(Channel).where(Channel.id == channel_id))
