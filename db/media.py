"""Routes of media models, and presets: the parameters that a model is asked with."""

from typing import Any

from sqlalchemy import JSON, Boolean, Float, String, Text, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, now


class MediaRoute(Row):
    """An ordered list of "provider:model" that make pictures or videos. `id` is its slug; `makes` is image or
    video; `settings` are those of core/media/route_settings."""

    __tablename__ = "media_route"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    makes: Mapped[str] = mapped_column(String(8))
    candidates: Mapped[list[str]] = mapped_column(JSON, default=list)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    managed: Mapped[str] = mapped_column(String(16), default="")
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)


class Preset(Row):
    """Parameters for a model. `models` is a glob pattern over model names, `task` "" for every task;
    `values` are fields of a request (width, steps, ...) that hold unless a caller says otherwise, `limits`
    how far he may go ({"steps": [1, 50]}). `prefix` and `suffix` are put around the prompt."""

    __tablename__ = "preset"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    models: Mapped[str] = mapped_column(String(200))
    task: Mapped[str] = mapped_column(String(24), default="")
    values: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    limits: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    prefix: Mapped[str] = mapped_column(Text, default="")
    suffix: Mapped[str] = mapped_column(Text, default="")
    negative: Mapped[str] = mapped_column(Text, default="")
    standard: Mapped[bool] = mapped_column(Boolean, default=False)
    managed: Mapped[str] = mapped_column(String(16), default="")
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)


async def all_of(conn: AsyncConnection, kind: type[MediaRoute] | type[Preset]) -> list[Any]:
    """Every media route, or every preset, oldest first."""
    table = kind.__table__
    return list((await conn.execute(select(table).order_by(table.c.created_at, table.c.id))).all())


async def get_one(conn: AsyncConnection, kind: type[MediaRoute] | type[Preset], row_id: str) -> Any | None:
    """One media route or preset by its slug."""
    table = kind.__table__
    return (await conn.execute(select(table).where(table.c.id == row_id))).one_or_none()


async def save_one(
    conn: AsyncConnection, kind: type[MediaRoute] | type[Preset], row_id: str, **values: Any
) -> None:
    """Insert or change a media route or preset."""
    table = kind.__table__
    values["updated_at"] = now()
    changed = await conn.execute(update(kind).where(table.c.id == row_id).values(**values))
    if not changed.rowcount:
        await conn.execute(insert(kind).values(id=row_id, created_at=now(), **values))


async def delete_one(conn: AsyncConnection, kind: type[MediaRoute] | type[Preset], row_id: str) -> None:
    """Delete a media route or preset."""
    await conn.execute(delete(kind).where(kind.__table__.c.id == row_id))
