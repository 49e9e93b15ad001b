"""Keys of the OpenAI-compatible API: kept as digests."""

from typing import Any

from sqlalchemy import JSON, Boolean, Float, String, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, now


class GatewayKey(Row):
    """A key for programs. `id` is its sha256 in hex, `hint` its last four characters for people.

    `routes` are the ids of routes that it may use ([]: all); `models` tells whether it may also name
    "provider:model" itself.
    """

    __tablename__ = "gateway_key"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    hint: Mapped[str] = mapped_column(String(8))
    routes: Mapped[list[str]] = mapped_column(JSON, default=list)
    models: Mapped[bool] = mapped_column(Boolean, default=True)
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    expires_at: Mapped[float | None] = mapped_column(Float)
    last_used_at: Mapped[float | None] = mapped_column(Float)
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)


FIND = select(GatewayKey.__table__).where(GatewayKey.id == bindparam("wanted"))
USED = update(GatewayKey).where(GatewayKey.id == bindparam("used_id")).values(last_used_at=bindparam("at"))


async def all_keys(conn: AsyncConnection) -> list[Any]:
    """Every key, oldest first."""
    return list((await conn.execute(select(GatewayKey.__table__).order_by(GatewayKey.created_at))).all())


async def find_key(conn: AsyncConnection, key_id: str) -> Any | None:
    """A key by its sha256."""
    return (await conn.execute(FIND, {"wanted": key_id})).one_or_none()


async def add_key(conn: AsyncConnection, **values: Any) -> None:
    """Insert a key."""
    await conn.execute(insert(GatewayKey).values({"created_at": now(), "updated_at": now(), **values}))


async def change_key(conn: AsyncConnection, key_id: str, **values: Any) -> None:
    """Change what a key may."""
    changed = update(GatewayKey).where(GatewayKey.id == key_id).values({"updated_at": now(), **values})
    await conn.execute(changed)


async def used(conn: AsyncConnection, at: dict[str, float]) -> None:
    """Write down when keys (by id) were used last."""
    if at:
        await conn.execute(USED, [{"used_id": key_id, "at": moment} for key_id, moment in at.items()])


async def delete_key(conn: AsyncConnection, key_id: str) -> None:
    """Revoke a key."""
    await conn.execute(delete(GatewayKey).where(GatewayKey.id == key_id))
