"""Usage: what was asked of whom, how it ended, what it cost."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from admin.api.calls import Id, Parts, api_router
from core.configuration.errors import NotFound
from core.configuration.values import Readable
from db import usage_charts
from db.aside import aside
from db.base import now
from db.usage_charts import Wanted
from db.usage_days import DAY

router: APIRouter = api_router("usage")
Text = Annotated[str, Query(max_length=200), Readable]
Since = Annotated[float | None, Query(allow_inf_nan=False, ge=0)]


class Row(BaseModel):
    """Read from a row's attributes."""

    model_config = ConfigDict(from_attributes=True)


class Counts(Row):
    """`cost` is in US dollars and lacks the `unpriced` attempts, whose price nobody knows."""

    answers: int = 0
    failed: int = 0
    cancelled: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0


class DayUsage(Counts):
    """One day (UTC) of one instance (`channel_id`) or gateway key with one model; "" where there is none."""

    day: str
    source: str
    channel_id: str
    key_id: str
    provider_id: str
    model: str


class UsageReport(BaseModel):
    """What was used, by day and by whom, and all of it together."""

    items: Sequence[DayUsage]
    total: Counts


class UserUsage(Row):
    """What one person of one instance's chats used."""

    channel_id: str
    user_key: str
    answers: int
    input_tokens: int
    output_tokens: int
    cost: float
    unpriced: int


class Attempt(Row):
    """One call of one model. `outcome` is ok, cancelled or an error class; `detail` explains: `error`,
    `cooled` (what rests because of it) and `skipped` (who was not asked, and why)."""

    id: str
    created_at: float
    source: str
    channel_id: str | None
    conversation_id: str | None
    user_key: str | None
    key_id: str | None
    request_id: str | None
    route_id: str | None
    provider_id: str
    model: str
    attempt: int
    outcome: str
    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    estimated: bool
    cost: float | None
    first_token_ms: float | None
    total_ms: float
    detail: dict[str, Any]


class AttemptPage(BaseModel):
    """Attempts, newest first; `next` is the `before` of the next page."""

    items: Sequence[Attempt]
    next: float | None


@router.get("/usage")
async def get_usage(
    parts: Parts,
    since: Since = None,
    source: Text = "",
    channel_id: Text = "",
    provider_id: Text = "",
    model: Text = "",
) -> UsageReport:
    """What was used by day, instance, gateway key and model. `since` is UTC epoch seconds; left out: thirty
    days ago."""
    wanted = Wanted(_since(since), source, channel_id, provider_id, model)
    found = await aside(parts.database, lambda conn: usage_charts.slices(conn, wanted))
    found.sort(key=lambda one: (one.day, one.source, one.channel_id, one.key_id, one.provider_id, one.model))
    total = {name: sum(getattr(one, name) for one in found) for name in Counts.model_fields}
    return UsageReport(items=[DayUsage.model_validate(one) for one in found], total=Counts(**total))


@router.get("/usage/users")
async def get_usage_of_users(
    parts: Parts, since: Since = None, channel_id: Text = "", limit: int = Query(100, ge=1, le=1000)
) -> Sequence[UserUsage]:
    """Who of the chats' people used most, as far back as single attempts are kept (thirty days)."""
    wanted = Wanted(_since(since), "", channel_id)
    rows = await aside(parts.database, lambda conn: usage_charts.by_user(conn, wanted, limit))
    return [UserUsage.model_validate(row) for row in rows]


@router.get("/usage/attempts")
async def list_attempts(
    parts: Parts,
    since: Since = None,
    before: Since = None,
    channel_id: Text = "",
    outcome: Annotated[str, Query(pattern="^(failed|cancelled|fallback|)$")] = "",
    limit: int = Query(100, ge=1, le=500),
) -> AttemptPage:
    """Single attempts, newest first; `outcome` is failed, cancelled or fallback."""
    wanted = Wanted(_since(since), "", channel_id, "", "", outcome)
    async with parts.database.reading() as conn:
        rows = await usage_charts.attempts(conn, wanted, before, limit)
    items = [Attempt.model_validate(row) for row in rows]
    return AttemptPage(items=items, next=items[-1].created_at if len(items) == limit else None)


@router.get("/usage/attempts/{attempt_id}")
async def explain_attempt(attempt_id: Id, parts: Parts) -> Sequence[Attempt]:
    """All attempts of the answer that this one belongs to, in order: why it went as it did."""
    async with parts.database.reading() as conn:
        rows = await usage_charts.answer_of(conn, attempt_id)
    if not rows:
        raise NotFound("attempt", attempt_id)
    return [Attempt.model_validate(row) for row in rows]


def _since(given: float | None) -> float:
    return now() - 30 * DAY if given is None else given
