"""Usage: from attempts to rows, the same for chats, the API and trials."""

from collections.abc import Sequence
from typing import Any

from core.limits.limits import Grant
from core.routing.attempts import Attempt, Skipped
from core.routing.candidates import KNOWLEDGE

LARGEST = 2**31 - 1
LONGEST_ERROR = 500


def rows_of(
    attempts: Sequence[Attempt], skipped: Sequence[Skipped], grant: Grant, route_id: str | None
) -> list[dict[str, Any]]:
    """The rows of one answer: one for each attempt at a vendor, the failed ones too."""
    payer = grant.payer
    asked = [attempt for attempt in attempts if attempt.provider_id != KNOWLEDGE]
    return [
        {
            "source": payer.source,
            "channel_id": payer.channel_id or None,
            "user_key": payer.user_key[:100] or None,
            "key_id": payer.key_id or None,
            "request_id": grant.request_id,
            "route_id": route_id,
            "attempt": number,
            "provider_id": attempt.provider_id,
            "model": attempt.model[:200],
            "outcome": attempt.outcome,
            "input_tokens": _storable(attempt.input_tokens),
            "output_tokens": _storable(attempt.output_tokens),
            "cached_tokens": _storable(attempt.cached_tokens),
            "estimated": attempt.estimated,
            "first_token_ms": attempt.first_token_ms,
            "total_ms": attempt.total_ms,
            "cost": attempt.cost,
            "detail": _detail(attempt, skipped),
        }
        for number, attempt in enumerate(asked, 1)
    ]


def _detail(attempt: Attempt, skipped: Sequence[Skipped]) -> dict[str, Any]:
    """What explains an attempt to an operator."""
    found = {
        "error": attempt.error[:LONGEST_ERROR],
        "cooled": attempt.cooled,
        "skipped": [[one.candidate, one.reason] for one in skipped],
    }
    return {name: value for name, value in found.items() if value}


def _storable(tokens: int | None) -> int | None:
    """A vendor may count whatever it likes; a row holds 32 bits."""
    return None if tokens is None else int(min(max(tokens, 0), LARGEST))
