"""Providers: where models are called, with which keys."""

from typing import Any

from sqlalchemy import JSON, Boolean, Float, ForeignKey, Integer, String, Text, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, new_id, now


class Provider(Row):
    """One account at a vendor, or one OpenAI-compatible server.

    `id` is its slug. `kind` is an entry of providers/catalog.toml. `proxies` is a sealed JSON list of
    proxy addresses, in order of use: they may hold credentials.
    """

    __tablename__ = "provider"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(120))
    base_url: Mapped[str | None] = mapped_column(Text)
    config: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    proxies: Mapped[str | None] = mapped_column(Text)
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    managed: Mapped[str] = mapped_column(String(16), default="")
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)


class ProviderKey(Row):
    """One sealed key of a provider; `hint` is its last four characters for people."""

    __tablename__ = "provider_key"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    provider_id: Mapped[str] = mapped_column(ForeignKey("provider.id", ondelete="CASCADE"), index=True)
    position: Mapped[int] = mapped_column(Integer, default=0)
    secret: Mapped[str] = mapped_column(Text)
    hint: Mapped[str] = mapped_column(String(8), default="")
    created_at: Mapped[float] = mapped_column(Float)


ALL = select(Provider.__table__).order_by(Provider.created_at, Provider.id)


async def all_providers(conn: AsyncConnection) -> list[Any]:
    """Every provider, oldest first."""
    return list((await conn.execute(ALL)).all())


async def get_provider(conn: AsyncConnection, provider_id: str) -> Any | None:
    """One provider by its slug."""
    query = select(Provider.__table__).where(Provider.id == provider_id)
    return (await conn.execute(query)).one_or_none()


async def keys_of(conn: AsyncConnection, provider_id: str | None = None) -> list[Any]:
    """Sealed keys in order, of one provider or of all."""
    query = select(ProviderKey.__table__).order_by(
        ProviderKey.provider_id, ProviderKey.position, ProviderKey.id
    )
    if provider_id:
        query = query.where(ProviderKey.provider_id == provider_id)
    return list((await conn.execute(query)).all())


async def save_provider(conn: AsyncConnection, provider_id: str, **values: Any) -> None:
    """Insert or change a provider."""
    values["updated_at"] = now()
    changed = await conn.execute(update(Provider).where(Provider.id == provider_id).values(**values))
    if not changed.rowcount:
        await conn.execute(insert(Provider).values(id=provider_id, created_at=now(), **values))


async def replace_keys(conn: AsyncConnection, provider_id: str, keys: list[dict[str, Any]]) -> None:
    """Set a provider's keys: dicts with `id`, `secret` (sealed) and `hint`, in order of use."""
    await conn.execute(delete(ProviderKey).where(ProviderKey.provider_id == provider_id))
    for position, key in enumerate(keys):
        row = {"id": new_id(), "created_at": now(), **key}
        row.update(provider_id=provider_id, position=position)
        await conn.execute(insert(ProviderKey).values(row))


async def delete_provider(conn: AsyncConnection, provider_id: str) -> None:
    """Delete a provider and its keys."""
    await conn.execute(delete(Provider).where(Provider.id == provider_id))
