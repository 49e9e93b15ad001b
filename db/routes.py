"""Routes and characters: which models answer, and who speaks."""

from typing import Any

from sqlalchemy import JSON, Float, String, Text, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, now


class Route(Row):
    """An ordered list of candidates: "provider:model" or "knowledge". `id` is its slug."""

    __tablename__ = "route"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    candidates: Mapped[list[str]] = mapped_column(JSON, default=list)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    managed: Mapped[str] = mapped_column(String(16), default="")
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)


class Character(Row):
    """Who speaks: name, system prompt, greeting, content rating ("general" or "adult") and generation
    settings (core/sampling.py)."""

    __tablename__ = "character"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    prompt: Mapped[str] = mapped_column(Text, default="")
    greeting: Mapped[str] = mapped_column(Text, default="")
    rating: Mapped[str] = mapped_column(String(16), default="general")
    sampling: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict, server_default="{}")
    managed: Mapped[str] = mapped_column(String(16), default="")
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)


GET = {
    kind: select(kind.__table__).where(kind.__table__.c.id == bindparam("wanted"))
    for kind in (Route, Character)
}


async def all_of(conn: AsyncConnection, kind: type[Route] | type[Character]) -> list[Any]:
    """Every route, or every character, oldest first."""
    table = kind.__table__
    query = select(table).order_by(table.c.created_at, table.c.id)
    return list((await conn.execute(query)).all())


async def get_one(conn: AsyncConnection, kind: type[Route] | type[Character], row_id: str) -> Any | None:
    """One route or character by its slug."""
    return (await conn.execute(GET[kind], {"wanted": row_id})).one_or_none()


async def save_one(
    conn: AsyncConnection, kind: type[Route] | type[Character], row_id: str, **values: Any
) -> None:
    """Insert or change a route or character."""
    table = kind.__table__
    values["updated_at"] = now()
    changed = await conn.execute(update(kind).where(table.c.id == row_id).values(**values))
    if not changed.rowcount:
        await conn.execute(insert(kind).values(id=row_id, created_at=now(), **values))


async def delete_one(conn: AsyncConnection, kind: type[Route] | type[Character], row_id: str) -> None:
    """Delete a route or character."""
    table = kind.__table__
    await conn.execute(delete(kind).where(table.c.id == row_id))
