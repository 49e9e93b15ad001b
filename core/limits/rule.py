"""A limit as a value: whom it binds, and when its periods begin."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.limits.payer import Payer
from core.routing.spec import RouteSpec

WARN, FREE, STOP = "warn", "free", "stop"
MESSAGES, TOKENS, MONEY = "messages", "tokens", "money"
PICTURES, VIDEOS = "pictures", "videos"
SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
MONTH = "month"


@dataclass(frozen=True, slots=True)
class Rule:
    """One enabled limit; its fields are those of db.limits.Limit."""

    id: str
    name: str
    subject_kind: str
    subject: str
    measure: str
    amount: float
    period: str
    action: str

    def subjects(self, payer: Payer, spec: RouteSpec) -> list[str]:
        """Whose counters an answer touches: none when the rule does not bind it."""
        match self.subject_kind:
            case "provider":
                found = [config.id for config in spec.providers]
            case "user":
                known = payer.channel_id and payer.user_key  # operators who try models are no chat's users
                found = [f"{payer.channel_id}/{payer.user_key}"] if known else []
            case "conversation":
                found = [payer.conversation_id] if payer.conversation_id else []
            case "instance":
                found = [payer.channel_id] if payer.channel_id else []
            case "key":
                found = [payer.key_id] if payer.key_id else []
            case _:
                return [""]
        return [one for one in found if self.subject in ("", one)]

    def began(self, moment: float) -> float:
        """When the period began that a moment (UTC epoch seconds) is in."""
        return period_of(self.period, moment)[0]

    def resets_at(self, moment: float) -> float:
        """When the next period begins."""
        return period_of(self.period, moment)[1]


def period_of(period: str, moment: float) -> tuple[float, float]:
    """The beginning and the end of a minute, hour, day or month by the UTC clock."""
    if period == MONTH:
        day = datetime.fromtimestamp(moment, UTC)
        first = datetime(day.year, day.month, 1, tzinfo=UTC)
        following = datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=UTC)
        return first.timestamp(), following.timestamp()
    length = SECONDS[period]
    start = moment // length * length
    return start, start + length


def rules_of(rows: Iterable[Any]) -> tuple[Rule, ...]:
    """The enabled limits among rows, in the order in which counters are locked."""
    names = Rule.__slots__
    found = [Rule(**{name: getattr(row, name) for name in names}) for row in rows if row.enabled]
    return tuple(sorted(found, key=lambda rule: rule.id))
