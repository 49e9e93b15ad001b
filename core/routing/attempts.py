"""What was tried for one answer, and the error when nothing of it worked."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from core.routing.eligibility import estimate
from providers.errors import ErrorClass
from providers.prices import Price
from providers.types import ChatRequest

CANCELLED = "cancelled"
OK = "ok"
_WORKED = frozenset({OK, CANCELLED, "timeout", "truncated", "empty", "content"})


@dataclass(slots=True)
class Attempt:
    """One call of one model. `outcome` is "ok", "cancelled" or an error class ("" while it runs).

    Tokens are what the vendor counted; where it did not, they are guessed (`estimated`) if the model
    may have worked, else None. `error` is the vendor's text, redacted, for operators; `cooled` names the
    scope that rests because of it. `cost` is in USD, None when nobody knows it; `free` is a model that
    costs nothing. `key_number` tells one of several keys apart (0: it needed none).
    """

    provider_id: str
    model: str
    outcome: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    estimated: bool = False
    first_token_ms: float | None = None
    total_ms: float = 0.0
    error: str = ""
    cooled: str = ""
    cached_tokens: int | None = None
    cost: float | None = None
    free: bool = False
    price: Price | None = field(default=None, repr=False, compare=False)
    key_number: int = 0

    def settle(self, request: ChatRequest, received: int) -> None:
        """Fill in what the vendor did not count, and the cost; `received` is in characters."""
        if self.outcome in _WORKED:
            if self.input_tokens is None:
                self.input_tokens = estimate(request)
                self.estimated = True
            if self.output_tokens is None:
                self.output_tokens = received // 4
                self.estimated = True
        given, made = self.input_tokens, self.output_tokens
        if self.free:
            self.cost = 0.0
        elif self.price is not None and given is not None and made is not None:
            self.cost = self.price.cost(given, made, self.cached_tokens or 0)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A candidate ("provider:model") that was not asked. `reason` is one of context, images, tools, json,
    local_only, limit, paid, no_key, disabled, resting."""

    candidate: str
    reason: str


class AnswerBroken(Exception):
    """An answer that ended after its reader had seen a part, and nobody could go on with it."""

    def __init__(self, attempts: Sequence[Attempt]) -> None:
        super().__init__(_said(attempts))
        self.attempts = list(attempts)


class AllCandidatesFailed(Exception):
    """No candidate answered. `retry_at` (UTC epoch seconds) is when one may again, None when unknown;
    `moderated` when a vendor refused the content itself; `over_limit` when a limit left nobody to ask;
    `too_long` (the request in tokens as estimated, the largest context) when nobody could read it."""

    def __init__(
        self,
        attempts: Sequence[Attempt],
        retry_at: float | None,
        moderated: bool,
        *,
        over_limit: bool = False,
        too_long: tuple[int, int] | None = None,
        skipped: Sequence[Skipped] = (),
    ) -> None:
        reasons = ", ".join(f"{one.candidate} {one.reason}" for one in skipped)
        super().__init__(_said(attempts) or reasons or "no candidate could be tried")
        self.attempts = list(attempts)
        self.retry_at = retry_at
        self.moderated = moderated
        self.over_limit = over_limit
        self.too_long = too_long
        self.skipped = list(skipped)


def moderated(attempts: Sequence[Attempt]) -> bool:
    """Whether a vendor refused the content."""
    return any(attempt.outcome == ErrorClass.CONTENT for attempt in attempts)


def _said(attempts: Sequence[Attempt]) -> str:
    return ", ".join(f"{one.provider_id}:{one.model} {one.outcome}" for one in attempts)
