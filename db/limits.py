"""Limits: how much may be used by whom in which time, what is used, and what is reserved."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import (
    Boolean,
    Float,
    ForeignKey,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, new_id, now
from db.database import insert_unless_there, upsert

TINY = 1e-9  # sums of floats are not exact
LONGEST = 32 * 86400.0  # seconds; no period is longer


class Limit(Row):
    """At most `amount` of `measure` (messages, tokens, money in US dollars, pictures, videos) in each
    `period` (minute, hour, day, month; they begin by the UTC clock).

    `subject_kind` is user, conversation, instance, provider, key or all; `subject` names one of them
    ("" means each of them by itself): an instance's channel id, a provider's slug, a gateway key's id,
    "channel id/user key" for a user, "channel id/chat key" for a conversation. `action` is warn (soft: it is
    only shown), free (free and local candidates and the knowledge answerer go on) or stop (nothing answers).
    `id` is a slug where the fleet file manages it.
    """

    __tablename__ = "usage_limit"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(120), default="")
    subject_kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(String(150), default="")
    measure: Mapped[str] = mapped_column(String(16))
    amount: Mapped[float] = mapped_column(Float)
    period: Mapped[str] = mapped_column(String(8))
    action: Mapped[str] = mapped_column(String(8), default="free")
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    managed: Mapped[str] = mapped_column(String(16), default="", server_default="")
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)


class LimitUse(Row):
    """What one subject has used of a limit in the period that began at `since` (UTC epoch seconds)."""

    __tablename__ = "usage_limit_use"

    limit_id: Mapped[str] = mapped_column(ForeignKey("usage_limit.id", ondelete="CASCADE"), primary_key=True)
    subject: Mapped[str] = mapped_column(String(150), primary_key=True)
    since: Mapped[float] = mapped_column(Float, primary_key=True)
    used: Mapped[float] = mapped_column(Float, default=0.0)


class Reservation(Row):
    """What a running answer may yet use of a limit; it counts until it is settled or expires."""

    __tablename__ = "usage_reservation"

    request_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    limit_id: Mapped[str] = mapped_column(ForeignKey("usage_limit.id", ondelete="CASCADE"), primary_key=True)
    subject: Mapped[str] = mapped_column(String(150), primary_key=True)
    since: Mapped[float] = mapped_column(Float)
    amount: Mapped[float] = mapped_column(Float)
    expires_at: Mapped[float] = mapped_column(Float, index=True)


@dataclass(frozen=True, slots=True)
class Want:
    """What an answer would use of one limit: `amount` for `subject` in the period that began at `since`;
    `most` is the limit's amount, None for one that only counts."""

    limit_id: str
    subject: str
    since: float
    amount: float
    most: float | None


USED = (
    select(LimitUse.used)
    .where(
        LimitUse.limit_id == bindparam("limit"),
        LimitUse.subject == bindparam("who"),
        LimitUse.since == bindparam("start"),
    )
    .with_for_update()
)
RESERVED = select(func.coalesce(func.sum(Reservation.amount), 0.0)).where(
    Reservation.limit_id == bindparam("limit"),
    Reservation.subject == bindparam("who"),
    Reservation.since == bindparam("start"),
    Reservation.request_id != bindparam("own"),
    Reservation.expires_at > bindparam("moment"),
)


ALL = select(Limit.__table__).order_by(Limit.created_at, Limit.id)


async def all_limits(conn: AsyncConnection) -> list[Any]:
    """Every limit, oldest first."""
    return list((await conn.execute(ALL)).all())


async def get_limit(conn: AsyncConnection, limit_id: str) -> Any | None:
    """One limit."""
    query = select(Limit.__table__).where(Limit.id == limit_id)
    return (await conn.execute(query)).one_or_none()


async def add_limit(conn: AsyncConnection, **values: Any) -> str:
    """Insert a limit; returns its id."""
    row = {"id": new_id(), "created_at": now(), "updated_at": now(), **values}
    await conn.execute(insert(Limit).values(row))
    return str(row["id"])


async def change_limit(conn: AsyncConnection, limit_id: str, **values: Any) -> None:
    """Change a limit; what was used of it stays."""
    await conn.execute(update(Limit).where(Limit.id == limit_id).values(updated_at=now(), **values))


async def delete_limit(conn: AsyncConnection, limit_id: str) -> None:
    """Delete a limit with what was used of it."""
    await conn.execute(delete(Limit).where(Limit.id == limit_id))


async def has_room(conn: AsyncConnection, want: Want, own: str, moment: float) -> bool:
    """Whether a limit leaves room for what is wanted, other answers' reservations counted.

    Locks the counter until the transaction ends, so that nobody else counts meanwhile: call it for
    several limits in one order of (limit_id, subject).
    """
    counter = {"limit_id": want.limit_id, "subject": want.subject, "since": want.since}
    table = cast(Table, LimitUse.__table__)
    await conn.execute(insert_unless_there(conn.dialect.name, table, list(counter)), {**counter, "used": 0.0})
    where = {"limit": want.limit_id, "who": want.subject, "start": want.since}
    used = (await conn.execute(USED, where)).scalar_one()
    reserved = (await conn.execute(RESERVED, {**where, "own": own, "moment": moment})).scalar_one()
    return want.most is None or float(used) + float(reserved) + want.amount <= want.most + TINY


async def reserve(conn: AsyncConnection, request_id: str, wants: Iterable[Want], expires_at: float) -> None:
    """Reserve for one answer; a repeated turn reserves the same again."""
    keys = ("request_id", "limit_id", "subject")
    for want in wants:
        row = {
            "request_id": request_id, "limit_id": want.limit_id, "subject": want.subject,
            "since": want.since, "amount": want.amount, "expires_at": expires_at,
        }  # fmt: skip
        await conn.execute(upsert(conn, Reservation, keys, row))


async def settle(conn: AsyncConnection, request_id: str, used: Callable[[str, str], float]) -> None:
    """Turn an answer's reservations into what it used: `used(limit_id, subject)`. Whoever settles a second
    time finds no reservation, so that nothing counts twice."""
    query = select(Reservation.__table__).where(Reservation.request_id == request_id)
    rows = (await conn.execute(query.order_by(Reservation.limit_id, Reservation.subject))).all()
    for row in rows:
        gone = await conn.execute(
            delete(Reservation).where(
                Reservation.request_id == request_id,
                Reservation.limit_id == row.limit_id,
                Reservation.subject == row.subject,
            )
        )
        if gone.rowcount:
            await conn.execute(
                update(LimitUse)
                .where(
                    LimitUse.limit_id == row.limit_id,
                    LimitUse.subject == row.subject,
                    LimitUse.since == row.since,
                )
                .values(used=LimitUse.used + used(row.limit_id, row.subject))
            )


async def uses_of(conn: AsyncConnection, since: float) -> list[Any]:
    """What was used of limits in periods that began at `since` or later: limit_id, subject, since, used."""
    query = select(LimitUse.__table__).where(LimitUse.since >= since, LimitUse.used > 0)
    return list((await conn.execute(query.order_by(LimitUse.used.desc()))).all())


async def forget_old(conn: AsyncConnection, before: float, limit: int) -> int:
    """Delete counters of long past periods, and reservations that nobody settled; returns how many."""
    gone = await conn.execute(delete(Reservation).where(Reservation.expires_at < before))
    old = select(LimitUse.limit_id, LimitUse.subject, LimitUse.since).where(LimitUse.since < before - LONGEST)
    rows = (await conn.execute(old.limit(limit))).all()
    for row in rows:
        await conn.execute(
            delete(LimitUse).where(
                LimitUse.limit_id == row.limit_id,
                LimitUse.subject == row.subject,
                LimitUse.since == row.since,
            )
        )
    return len(rows) if rows else int(gone.rowcount)
