"""Who pays for an answer of the gateway: what the limits leave to it, and the rows of its usage."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.routing.allowance import UNLIMITED, Allowance
from core.routing.attempts import Attempt, Skipped
from core.routing.candidates import KNOWLEDGE
from db import usage

LARGEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to answer."""

    request_id: str
    key_id: str
    route_id: str | None
    allowance: Allowance = UNLIMITED

    async def settle(
        self, conn: AsyncConnection, attempts: Sequence[Attempt], skipped: Sequence[Skipped]
    ) -> None:
        """Write what was used."""
        rows: list[dict[str, Any]] = [
            {
                "source": "api",
                "key_id": self.key_id,
                "route_id": self.route_id,
                "request_id": self.request_id,
                "provider_id": attempt.provider_id,
                "model": attempt.model[:200],
                "attempt": number,
                "outcome": attempt.outcome,
                "input_tokens": _storable(attempt.input_tokens),
                "output_tokens": _storable(attempt.output_tokens),
                "estimated": attempt.estimated,
                "first_token_ms": attempt.first_token_ms,
                "total_ms": attempt.total_ms,
                "cached_tokens": _storable(attempt.cached_tokens),
                "cost": attempt.cost,
                "detail": _detail(attempt, skipped),
            }
            for number, attempt in enumerate(attempts, 1)
            if attempt.provider_id != KNOWLEDGE
        ]
        await usage.add_usage(conn, rows)


def _detail(attempt: Attempt, skipped: Sequence[Skipped]) -> dict[str, Any]:
    """What explains an attempt to an operator."""
    found = {
        "error": attempt.error,
        "cooled": attempt.cooled,
        "skipped": [[one.candidate, one.reason] for one in skipped],
    }
    return {name: value for name, value in found.items() if value}


def _storable(tokens: int | None) -> int | None:
    """A vendor may count whatever it likes; a row holds 32 bits."""
    return None if tokens is None else int(min(max(tokens, 0), LARGEST))
