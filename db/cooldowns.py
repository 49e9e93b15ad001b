"""Cooldowns: which key, model or server must rest until when, shared by all processes."""

from typing import Any

from sqlalchemy import Float, Integer, String, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, now
from db.database import upsert


class CooldownRow(Row):
    """A resting scope. `scope` names it (core/routing/cooldown.py), `until` is UTC epoch seconds (0: it
    failed but does not rest), `failures` how often in a row it failed, `trial_until` the lease of the one
    that tries again."""

    __tablename__ = "cooldown"

    scope: Mapped[str] = mapped_column(String(300), primary_key=True)
    error_class: Mapped[str] = mapped_column(String(16))
    failures: Mapped[int] = mapped_column(Integer, default=1)
    until: Mapped[float] = mapped_column(Float)
    trial_until: Mapped[float] = mapped_column(Float, default=0.0)
    updated_at: Mapped[float] = mapped_column(Float)


async def all_cooldowns(conn: AsyncConnection) -> list[Any]:
    """Every cooldown row."""
    return list((await conn.execute(select(CooldownRow.__table__))).all())


async def get_cooldown(conn: AsyncConnection, scope: str) -> Any | None:
    """The cooldown of one scope."""
    query = select(CooldownRow.__table__).where(CooldownRow.scope == scope)
    return (await conn.execute(query)).one_or_none()


async def save_cooldown(conn: AsyncConnection, scope: str, **values: Any) -> None:
    """Insert or replace a scope's cooldown (error_class, failures, until, trial_until)."""
    row = {"scope": scope, "trial_until": 0.0, "updated_at": now(), **values}
    await conn.execute(upsert(conn, CooldownRow, ("scope",), row))


async def take_trial(conn: AsyncConnection, scope: str, moment: float, lease: float) -> bool:
    """Lease the one trial of a scope whose rest is over; False when another process has it."""
    taken = await conn.execute(
        update(CooldownRow)
        .where(CooldownRow.scope == scope, CooldownRow.until <= moment, CooldownRow.trial_until <= moment)
        .values(trial_until=moment + lease)
    )
    return bool(taken.rowcount)


async def end_trial(conn: AsyncConnection, scope: str) -> None:
    """Give a trial back that came to nothing."""
    await conn.execute(update(CooldownRow).where(CooldownRow.scope == scope).values(trial_until=0.0))


async def drop_cooldown(conn: AsyncConnection, scope: str, before: float | None = None) -> None:
    """Forget a scope's failures; with `before`, only when the last one was earlier."""
    query = delete(CooldownRow).where(CooldownRow.scope == scope)
    if before is not None:
        query = query.where(CooldownRow.updated_at <= before)
    await conn.execute(query)
