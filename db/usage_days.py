"""Usage by day: what is left of usage rows after they are pruned, and what charts read."""

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Float,
    Integer,
    String,
    case,
    delete,
    func,
    insert,
    literal,
    select,
)  # fmt: skip
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row
from db.settings import get_setting, set_setting
from db.usage import Usage

DAY = 86400
LATE = 3600  # seconds after midnight (UTC) in which the last answers of a day may still be written
SUMMED_UNTIL = "usage_summed_until"  # the newest day that is summed up
OK, CANCELLED = "ok", "cancelled"


class UsageDay(Row):
    """One day (UTC, "2026-11-21") of one instance or gateway key with one model; "" where there is none.

    `answers` are attempts that ended well, `failed` and `cancelled` the others; `cost` is in US dollars
    and lacks `unpriced` attempts whose price is unknown.
    """

    __tablename__ = "usage_day"

    day: Mapped[str] = mapped_column(String(10), primary_key=True)
    source: Mapped[str] = mapped_column(String(16), primary_key=True)
    channel_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    key_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    provider_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    model: Mapped[str] = mapped_column(String(200), primary_key=True)
    answers: Mapped[int] = mapped_column(Integer, default=0)
    failed: Mapped[int] = mapped_column(Integer, default=0)
    cancelled: Mapped[int] = mapped_column(Integer, default=0)
    estimated: Mapped[int] = mapped_column(Integer, default=0)
    unpriced: Mapped[int] = mapped_column(Integer, default=0)
    input_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    output_tokens: Mapped[int] = mapped_column(BigInteger, default=0)
    cost: Mapped[float] = mapped_column(Float, default=0.0)


def day_of(at: float) -> str:
    """A moment's day in UTC, "2026-11-21"."""
    return datetime.fromtimestamp(at, UTC).date().isoformat()


def start_of(day: str) -> float:
    """A day's first moment, UTC epoch seconds."""
    return datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()


async def next_day(conn: AsyncConnection, moment: float) -> str | None:
    """The oldest closed day that is not summed up yet; None when there is none."""
    done = await get_setting(conn, SUMMED_UNTIL, "")
    after = start_of(str(done)) + DAY if done else 0.0
    query = select(func.min(Usage.created_at)).where(Usage.created_at >= after)
    oldest = (await conn.execute(query)).scalar_one_or_none()
    if oldest is None:
        return None
    day = day_of(oldest)
    return day if start_of(day) + DAY + LATE <= moment else None


async def sum_up(conn: AsyncConnection, day: str) -> None:
    """Sum up one day, all of it, and note that it is done: in one transaction, so that it counts once."""
    start = start_of(day)
    cost_unknown = Usage.cost.is_(None) & (func.coalesce(Usage.output_tokens, 0) > 0)
    who = (
        Usage.source, func.coalesce(Usage.channel_id, ""), func.coalesce(Usage.key_id, ""),
        Usage.provider_id, Usage.model,
    )  # fmt: skip
    sums = {
        "answers": func.sum(case((Usage.outcome == OK, 1), else_=0)),
        "failed": func.sum(case((Usage.outcome.in_((OK, CANCELLED)), 0), else_=1)),
        "cancelled": func.sum(case((Usage.outcome == CANCELLED, 1), else_=0)),
        "estimated": func.sum(case((Usage.estimated.is_(True), 1), else_=0)),
        "unpriced": func.sum(case((cost_unknown, 1), else_=0)),
        "input_tokens": func.sum(func.coalesce(Usage.input_tokens, 0)),
        "output_tokens": func.sum(func.coalesce(Usage.output_tokens, 0)),
        "cost": func.sum(func.coalesce(Usage.cost, 0.0)),
    }
    query = (
        select(literal(day), *who, *sums.values())
        .where(Usage.created_at >= start, Usage.created_at < start + DAY)
        .group_by(*who)
    )
    names = ["day", "source", "channel_id", "key_id", "provider_id", "model", *sums]
    await conn.execute(delete(UsageDay).where(UsageDay.day == day))
    await conn.execute(insert(UsageDay).from_select(names, query))
    await set_setting(conn, SUMMED_UNTIL, max(day, str(await get_setting(conn, SUMMED_UNTIL, ""))))


async def forget_summed(conn: AsyncConnection, before: float, limit: int) -> int:
    """Delete at most `limit` usage rows that are older and summed up; returns how many."""
    done = await get_setting(conn, SUMMED_UNTIL, "")
    if not done:
        return 0
    before = min(before, start_of(str(done)) + DAY)
    old = select(Usage.id).where(Usage.created_at < before).order_by(Usage.created_at).limit(limit)
    return int((await conn.execute(delete(Usage).where(Usage.id.in_(old)))).rowcount)
