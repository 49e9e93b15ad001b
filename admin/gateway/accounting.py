"""Who pays for an answer of the gateway: what the limits leave to it, and the rows of its usage."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.routing.allowance import UNLIMITED, Allowance
from core.routing.attempts import Attempt, Skipped
from db import usage


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
                "input_tokens": attempt.input_tokens,
                "output_tokens": attempt.output_tokens,
                "estimated": attempt.estimated,
                "first_token_ms": attempt.first_token_ms,
                "total_ms": attempt.total_ms,
            }
            for number, attempt in enumerate(attempts, 1)
        ]
        await usage.add_usage(conn, rows)
