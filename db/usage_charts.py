"""Usage by day and by whom, over what is kept as rows and what is left of older ones by day."""

from dataclasses import dataclass, replace
from typing import Any, cast

from sqlalchemy import Select, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.settings import get_setting
from db.usage import Usage
from db.usage_days import DAY, SUMMED_UNTIL, UsageDay, day_of, start_of

WORKED = ("ok",)
STOPPED = ("cancelled",)
COUNTED = ("answers", "failed", "cancelled", "unpriced", "input_tokens", "output_tokens", "cost")


@dataclass(frozen=True, slots=True)
class Slice:
    """What one instance or key used of one model on one day (UTC, "2026-11-21"); "" where there is none."""

    day: str
    source: str
    channel_id: str
    key_id: str
    provider_id: str
    model: str
    answers: int
    failed: int
    cancelled: int
    unpriced: int
    input_tokens: int
    output_tokens: int
    cost: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which attempts: since when (UTC epoch seconds), and only those of one of these where it is named."""

    since: float
    source: str = ""
    channel_id: str = ""
    provider_id: str = ""
    model: str = ""
    outcome: str = ""  # failed, cancelled or fallback


async def slices(conn: AsyncConnection, wanted: Wanted) -> list[Slice]:
    """What was used, by day, instance, key and model: of days that are summed up from their sums, of later
    ones from the rows."""
    done = await get_setting(conn, SUMMED_UNTIL, "")
    open_since = start_of(str(done)) + DAY if done else 0.0
    counted = await _counted(conn, replace(wanted, since=max(wanted.since, open_since)))
    return [*(await _summed(conn, wanted)), *counted]


async def _counted(conn: AsyncConnection, wanted: Wanted) -> list[Slice]:
    day = func.floor(Usage.created_at / DAY).label("day")
    who = [Usage.source, Usage.channel_id, Usage.key_id, Usage.provider_id, Usage.model]
    worked, stopped = Usage.outcome.in_(WORKED), Usage.outcome.in_(STOPPED)
    unpriced = Usage.cost.is_(None) & (func.coalesce(Usage.output_tokens, 0) > 0)
    sums = [
        func.sum(case((worked, 1), else_=0)).label("answers"),
        func.sum(case((worked | stopped, 0), else_=1)).label("failed"),
        func.sum(case((stopped, 1), else_=0)).label("cancelled"),
        func.sum(case((unpriced, 1), else_=0)).label("unpriced"),
        func.sum(func.coalesce(Usage.input_tokens, 0)).label("input_tokens"),
        func.sum(func.coalesce(Usage.output_tokens, 0)).label("output_tokens"),
        func.sum(func.coalesce(Usage.cost, 0.0)).label("cost"),
    ]
    query = _only(select(day, *who, *sums), wanted).group_by(day, *who)
    rows = (await conn.execute(query)).all()
    return [
        Slice(
            day_of(float(row.day) * DAY), row.source, row.channel_id or "", row.key_id or "", row.provider_id,
            row.model, *(getattr(row, name) for name in COUNTED),
        )
        for row in rows
    ]  # fmt: skip


async def _summed(conn: AsyncConnection, wanted: Wanted) -> list[Slice]:
    query = select(UsageDay.__table__).where(UsageDay.day >= day_of(wanted.since))
    for name in ("source", "channel_id", "provider_id", "model"):
        if getattr(wanted, name):
            query = query.where(getattr(UsageDay, name) == getattr(wanted, name))
    rows = (await conn.execute(query)).all()
    return [Slice(**{name: getattr(row, name) for name in Slice.__slots__}) for row in rows]


async def attempts(
    conn: AsyncConnection, wanted: Wanted, before: float | None = None, limit: int = 100
) -> list[Any]:
    """Attempts, newest first."""
    query = _only(select(Usage.__table__), wanted)
    if before is not None:
        query = query.where(Usage.created_at < before)
    match wanted.outcome:
        case "failed":
            query = query.where(Usage.outcome.not_in((*WORKED, *STOPPED)))
        case "cancelled":
            query = query.where(Usage.outcome.in_(STOPPED))
        case "fallback":
            query = query.where(Usage.outcome.in_(WORKED), Usage.attempt > 1)
    return list((await conn.execute(query.order_by(Usage.created_at.desc()).limit(limit))).all())


async def answer_of(conn: AsyncConnection, usage_id: str) -> list[Any]:
    """All attempts of the answer that an attempt belongs to, in order; [] where there is none."""
    own = (await conn.execute(select(Usage.__table__).where(Usage.id == usage_id))).one_or_none()
    if own is None:
        return []
    same = [Usage.id == usage_id]
    if own.request_id:
        same.append(Usage.request_id == own.request_id)
    elif own.message_id:
        same.append(Usage.message_id == own.message_id)
    query = select(Usage.__table__).where(or_(*same)).order_by(Usage.attempt, Usage.created_at)
    return list((await conn.execute(query)).all())


async def by_user(conn: AsyncConnection, wanted: Wanted, limit: int) -> list[Any]:
    """What the people of chats used, the dearest first, as far back as there are rows: channel_id, user_key,
    answers, input_tokens, output_tokens, cost, unpriced."""
    worked = Usage.outcome.in_(WORKED)
    unpriced = Usage.cost.is_(None) & (func.coalesce(Usage.output_tokens, 0) > 0)
    cost, tokens = func.sum(func.coalesce(Usage.cost, 0.0)), func.sum(func.coalesce(Usage.output_tokens, 0))
    query = select(
        Usage.channel_id,
        Usage.user_key,
        func.sum(case((worked, 1), else_=0)).label("answers"),
        func.sum(func.coalesce(Usage.input_tokens, 0)).label("input_tokens"),
        tokens.label("output_tokens"),
        cost.label("cost"),
        func.sum(case((unpriced, 1), else_=0)).label("unpriced"),
    ).where(Usage.user_key.is_not(None), Usage.channel_id.is_not(None))
    only = _only(cast(Select[Any], query), wanted).group_by(Usage.channel_id, Usage.user_key)
    return list((await conn.execute(only.order_by(cost.desc(), tokens.desc()).limit(limit))).all())


def _only(query: Select[Any], wanted: Wanted) -> Select[Any]:
    query = query.where(Usage.created_at >= wanted.since)
    for name in ("source", "channel_id", "provider_id", "model"):
        if getattr(wanted, name):
            query = query.where(getattr(Usage, name) == getattr(wanted, name))
    return query
