"""How long what rests after which failure, and who may try it then: pure decisions, see docs/routing.md."""

from dataclasses import dataclass, replace

from db.cooldowns import Rest
from providers.errors import ErrorClass

__all__ = ["Failure", "Rest", "after_failure", "after_success", "given_back", "leased"]

LONGEST_ASKED = 3600.0  # a vendor's own word counts up to an hour
FORGET_AFTER = 3600.0  # failures longer ago than that (after the rest ended) begin a new count
LONGEST_REST = 6 * 3600 * 1.1


@dataclass(frozen=True, slots=True)
class Duration:
    """A first rest that doubles up to a longest one; it begins with failure number `after` in a row."""

    first: float
    longest: float
    after: int = 1


_BRIEF = Duration(5, 120, after=2)
DURATIONS = {
    ErrorClass.RATE_LIMIT: Duration(10, 300),
    ErrorClass.QUOTA: Duration(900, 6 * 3600),
    ErrorClass.CREDENTIAL: Duration(900, 900),
    ErrorClass.MODEL_GONE: Duration(600, 600),
    ErrorClass.CONNECT: Duration(2, 30),
    ErrorClass.OVERLOAD: Duration(2, 30),
    ErrorClass.TRANSIENT: _BRIEF,
    ErrorClass.TIMEOUT: _BRIEF,
    ErrorClass.TRUNCATED: _BRIEF,
    ErrorClass.EMPTY: _BRIEF,
}
_WORD_COUNTS = frozenset(
    {ErrorClass.RATE_LIMIT, ErrorClass.QUOTA, ErrorClass.OVERLOAD, ErrorClass.TRANSIENT, ErrorClass.TIMEOUT}
)


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt; `sole` when nothing else could answer, `jitter` is a random part of 1, `fixed`
    are the seconds that an operator set for all failures of a vendor."""

    error_class: ErrorClass
    began: float
    retry_after: float | None = None
    sole: bool = False
    jitter: float = 0.0
    fixed: float | None = None


def after_failure(rest: Rest | None, failure: Failure, now: float) -> Rest | None:
    """The scope's state after a failure; None when this class teaches nothing."""
    duration = DURATIONS.get(failure.error_class)
    if duration is None:
        return None
    if rest is not None and now - max(rest.until, rest.updated_at) > FORGET_AFTER:
        rest = None
    if rest is not None and failure.began < rest.updated_at:
        return rest  # it began before the last failure was known: the same incident
    failures = rest.failures + 1 if rest else 1
    until = now + _seconds(duration, failure, failures) * (1 + 0.1 * failure.jitter)
    if failures == 1 and failure.sole or until <= now:
        until = 0.0
    return Rest(str(failure.error_class), failures, until, now)


def after_success(rest: Rest | None, began: float) -> Rest | None:
    """What is left of a rest when an attempt that began then worked: failures after it still count."""
    return rest if rest is not None and rest.updated_at > began else None


def leased(rest: Rest | None, by: str, now: float, seconds: float) -> Rest | None:
    """The rest with its one trial given to `by`, if it is over and nobody else has it."""
    if rest is None or rest.until > now or rest.trial_until > now:
        return rest
    return replace(rest, trial_by=by, trial_until=now + seconds)


def given_back(rest: Rest | None, by: str) -> Rest | None:
    """The rest without the trial of `by`."""
    return replace(rest, trial_by="", trial_until=0.0) if rest is not None and rest.trial_by == by else rest


def _seconds(duration: Duration, failure: Failure, failures: int) -> float:
    if failure.fixed is not None:
        return failure.fixed
    if failure.retry_after is not None and failure.error_class in _WORD_COUNTS:
        return min(failure.retry_after, LONGEST_ASKED)
    if failures < duration.after:
        return 0.0
    doubled: float = duration.first * 2.0 ** min(failures - duration.after, 30)
    return min(doubled, duration.longest)
