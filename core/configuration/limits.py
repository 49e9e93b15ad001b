"""Limits, and what is used of them now."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.configuration.changes import PANEL, Changes, changeable, found, no_such, refuse
from core.configuration.errors import Problem
from core.configuration.limit_configs import LimitInput
from core.configuration.views import managed_of
from core.limits.rule import period_of
from db import channels, gateway_keys, limits, providers
from db.base import now

MOST_USES = 50  # of each limit, the largest first


@dataclass(frozen=True, slots=True)
class LimitUse:
    """What one subject has used in the period that runs, which ends at `resets_at` (UTC epoch seconds)."""

    subject: str
    used: float
    resets_at: float


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit with its use now, the largest first."""

    id: str
    name: str
    subject_kind: str
    subject: str
    measure: str
    amount: float
    period: str
    action: str
    enabled: bool
    uses: list[LimitUse]
    managed: str
    created_at: float
    updated_at: float


class Limits:
    """The limits."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def all(self) -> list[Limit]:
        """All of them, oldest first."""
        async with self._changes.database.reading() as conn:
            rows = await limits.all_limits(conn)
            return await _views(conn, rows)

    async def get(self, limit_id: str) -> Limit:
        """One; raises NotFound."""
        async with self._changes.database.reading() as conn:
            row = found(await limits.get_limit(conn, limit_id), "limit", limit_id)
            return (await _views(conn, [row]))[0]

    async def create(self, actor: str, new: LimitInput) -> Limit:
        """Make one; it counts from now on. Raises Invalid."""
        async with self._changes.begin(actor) as change:
            await _check(change.conn, new)
            limit_id = await limits.add_limit(change.conn, **new.model_dump())
            await change.audit("limit.create", limit_id, **_told(new))
        return await self.get(limit_id)

    async def change(self, actor: str, limit_id: str, config: LimitInput) -> Limit:
        """Replace its settings; what was used stays. Raises NotFound, Invalid or ManagedByFile."""
        async with self._changes.begin(actor) as change:
            changeable(await limits.get_limit(change.conn, limit_id), "limit", limit_id)
            await _check(change.conn, config)
            await limits.change_limit(change.conn, limit_id, **config.model_dump(), managed=PANEL)
            await change.audit("limit.change", limit_id, **_told(config))
        return await self.get(limit_id)

    async def delete(self, actor: str, limit_id: str) -> None:
        """Delete it with its counters. Raises NotFound or ManagedByFile."""
        async with self._changes.begin(actor) as change:
            changeable(await limits.get_limit(change.conn, limit_id), "limit", limit_id)
            await limits.delete_limit(change.conn, limit_id)
            await change.audit("limit.delete", limit_id)


def _told(config: LimitInput) -> dict[str, Any]:
    return {"measure": config.measure, "amount": config.amount, "period": config.period}


async def _check(conn: AsyncConnection, config: LimitInput) -> None:
    """Refuse a subject that does not exist."""
    refuse(await _problems(conn, config))


async def _problems(conn: AsyncConnection, config: LimitInput) -> list[Problem]:
    given = config.subject
    match config.subject_kind:
        case "all" if given:
            return [Problem("subject", "subject_unwanted")]
        case _ if not given:
            return []
        case "provider":
            known = [row.id for row in await providers.all_providers(conn)]
            return [] if given in known else [no_such("subject", "provider", given, known)]
        case "key":
            row = await gateway_keys.find_key(conn, given)
            return [] if row is not None else [no_such("subject", "key", given, [])]
    channel = await channels.get_channel(conn, given.partition("/")[0])
    return [] if channel is not None else [no_such("subject", "instance", given, [])]


async def _views(conn: AsyncConnection, rows: list[Any]) -> list[Limit]:
    moment = now()
    since = min((period_of(row.period, moment)[0] for row in rows), default=moment)
    uses = await limits.uses_of(conn, since)
    return [_view(row, uses, moment) for row in rows]


def _view(row: Any, uses: list[Any], moment: float) -> Limit:
    start, end = period_of(row.period, moment)
    own = [
        LimitUse(use.subject, use.used, end) for use in uses if use.limit_id == row.id and use.since == start
    ]
    return Limit(
        row.id, row.name, row.subject_kind, row.subject, row.measure, row.amount, row.period, row.action,
        row.enabled, own[:MOST_USES], managed_of(row), row.created_at, row.updated_at,
    )  # fmt: skip
