"""Rows that people name by a slug: routes, characters, media routes, presets."""

from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from db.base import Row, now


async def all_of(conn: AsyncConnection, kind: type[Row]) -> list[Any]:
    """Every row of a kind, oldest first."""
    return list((await conn.execute(_all(kind))).all())


async def get_one(conn: AsyncConnection, kind: type[Row], row_id: str) -> Any | None:
    """One row by its slug."""
    return (await conn.execute(_get(kind), {"wanted": row_id})).one_or_none()


async def save_one(conn: AsyncConnection, kind: type[Row], row_id: str, **values: Any) -> None:
    """Insert or change a row."""
    values["updated_at"] = now()
    changed = await conn.execute(update(kind).where(kind.__table__.c.id == row_id).values(**values))
    if not changed.rowcount:
        await conn.execute(insert(kind).values(id=row_id, created_at=now(), **values))


async def delete_one(conn: AsyncConnection, kind: type[Row], row_id: str) -> None:
    """Delete a row."""
    await conn.execute(delete(kind).where(kind.__table__.c.id == row_id))


@cache
def _all(kind: type[Row]) -> Select[Any]:
    return select(kind.__table__).order_by(kind.__table__.c.created_at, kind.__table__.c.id)


@cache
def _get(kind: type[Row]) -> Select[Any]:
    return select(kind.__table__).where(kind.__table__.c.id == bindparam("wanted"))
