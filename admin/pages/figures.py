"""The figures of the dashboard, counted from rows."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Request

from admin.services import Services
from db.base import now
from db.cooldowns import Rest
from db.dashboard import chats_by_channel, jobs_by_status, messages_by_minute
from db.providers import all_providers
from db.usage import recent_usage

HOUR = 3600.0
MINUTES = 60
MOST_USAGE = 5000


@dataclass(frozen=True, slots=True)
class Health:
    """How a provider did in the last hour."""

    id: str
    name: str
    attempts: int
    failures: int
    resting_until: float
    enabled: bool

    @property
    def percent(self) -> int:
        """The share of attempts that went well."""
        return 100 if not self.attempts else round(100 * (self.attempts - self.failures) / self.attempts)


@dataclass(frozen=True, slots=True)
class Figures:
    """What the dashboard shows beside the instances."""

    today: int
    hour: int
    hour_before: int
    chats: int
    first_token: float | None
    first_token_before: float | None
    traffic: list[list[int]]
    providers: list[Health]
    jobs: dict[str, int]

    @property
    def change(self) -> float | None:
        """Messages of this hour against the one before, in percent."""
        return percent_change(self.hour, self.hour_before)

    @property
    def first_token_change(self) -> float | None:
        """The first token's time against the hour before, in percent."""
        return percent_change(self.first_token, self.first_token_before)

    @property
    def spark(self) -> str:
        """The last hour's messages as an SVG path of 100 by 30."""
        counts = self.traffic[1]
        five = [sum(counts[at : at + 5]) for at in range(0, len(counts), 5)]
        top = max(five) or 1
        step = 100 / (len(five) - 1)
        points = (f"{at * step:.1f} {28 - 25 * value / top:.1f}" for at, value in enumerate(five))
        return "M" + " L".join(points)


def percent_change(value: float | None, before: float | None) -> float | None:
    """How much more a value is than before, in percent; None where that says nothing."""
    if value is None or not before:
        return None
    return 100.0 * (value - before) / before


def p95(values: list[float]) -> float | None:
    """The value that 95 of 100 stay under, in seconds."""
    if not values:
        return None
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))] / 1000


def midnight(request: Request) -> float:
    """When the reader's day began."""
    try:
        zone: ZoneInfo | Any = ZoneInfo(request.cookies.get("zone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = UTC
    return datetime.now(zone).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


async def figures_of(services: Services, day: float) -> Figures:
    """The figures of now; `day` is when the reader's day began."""
    at = now()
    cooldowns = await services.router.cooldown.all()
    async with services.database.reading() as conn:
        minutes = await messages_by_minute(conn, min(day, at - 2 * HOUR))
        chats = await chats_by_channel(conn, at - HOUR)
        usage = await recent_usage(conn, at - 2 * HOUR, MOST_USAGE)
        providers = await all_providers(conn)
        jobs = await jobs_by_status(conn, day)
    this = int(at // 60)
    hour = [minutes.get(this - MINUTES + 1 + step, 0) for step in range(MINUTES)]
    tokens = [0] * MINUTES
    for row in usage:
        place = int(row.created_at // 60) - this + MINUTES - 1
        if 0 <= place < MINUTES:
            tokens[place] += row.outcome == "ok"
    recent = [row for row in usage if row.created_at >= at - HOUR]
    return Figures(
        today=sum(count for minute, count in minutes.items() if minute * 60 >= day),
        hour=sum(hour),
        hour_before=sum(c for m, c in minutes.items() if this - 2 * MINUTES < m <= this - MINUTES),
        chats=sum(chats.values()),
        first_token=p95(_first_tokens(recent)),
        first_token_before=p95(_first_tokens([row for row in usage if row.created_at < at - HOUR])),
        traffic=[[(this - MINUTES + 1 + step) * 60 for step in range(MINUTES)], hour, tokens],
        providers=[_health(row, recent, cooldowns, at) for row in providers],
        jobs=jobs,
    )


def _first_tokens(usage: list[Any]) -> list[float]:
    return [row.first_token_ms for row in usage if row.outcome == "ok" and row.first_token_ms is not None]


def _health(provider: Any, usage: list[Any], cooldowns: dict[str, Rest], at: float) -> Health:
    mine = [row for row in usage if row.provider_id == provider.id and row.outcome != "cancelled"]
    resting = [
        rest.until for scope, rest in cooldowns.items() if is_about(scope, provider.id) and rest.until > at
    ]
    return Health(
        id=provider.id,
        name=provider.name or provider.id,
        attempts=len(mine),
        failures=sum(row.outcome != "ok" for row in mine),
        resting_until=max(resting, default=0.0),
        enabled=bool(provider.enabled),
    )


def is_about(scope: str, provider_id: str) -> bool:
    """True when a cooldown's scope (core/routing/cooldown.py) belongs to a provider."""
    return scope.split(":")[1:2] == [provider_id]
