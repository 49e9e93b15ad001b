"""Waiting for a task at a vendor: looks at growing intervals, up to a deadline."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from providers.errors import ErrorClass, ProviderError
from providers.media.types import Progress
from providers.types import ProviderConfig

MISSES = 3  # looks in a row that may fail before the caller hears of it
BUSY = (ErrorClass.RATE_LIMIT, ErrorClass.OVERLOAD)
PASSING = (ErrorClass.CONNECT, ErrorClass.TRANSIENT, ErrorClass.TIMEOUT, ErrorClass.MODEL_GONE)


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: to the first look, the factor by which the next wait is longer, the longest wait, and how old
    a task may become."""

    first: float = 1.0
    growth: float = 1.4
    longest: float = 10.0
    deadline: float = 1800.0


def pace_of(config: ProviderConfig, usual: Pace) -> Pace:
    """A provider's pace: `media_poll` and `media_deadline` of its options, else what is usual."""
    first = float(config.options.get("media_poll") or usual.first)
    deadline = float(config.options.get("media_deadline") or usual.deadline)
    return Pace(first, usual.growth, max(first, usual.longest), deadline)


async def poll(
    look: Callable[[], Awaitable[Progress | None]], pace: Pace, began: float
) -> AsyncIterator[Progress]:
    """Progress until `look` says None. `began` (in UTC epoch seconds) counts, so that a new process does not
    wait anew. Raises ProviderError: TIMEOUT past the deadline; CONNECT or TRANSIENT when asking failed
    several times in a row; what `look` raises otherwise."""
    wait, misses = pace.first, 0
    while True:
        left = began + pace.deadline - time.time()
        if left <= 0:
            raise ProviderError(ErrorClass.TIMEOUT, f"not done after {pace.deadline:g} seconds")
        await asyncio.sleep(min(wait, left))
        wait = min(wait * pace.growth, pace.longest)
        try:
            progress = await look()
        except ProviderError as error:
            misses = 0 if error.error_class in BUSY else misses + 1
            wait = max(wait, _patience(error, misses))
            continue
        if progress is None:
            return
        misses = 0
        yield progress


def _patience(error: ProviderError, misses: int) -> float:
    """Seconds to wait after a look that failed. Raises the error when it is not to be waited out."""
    if error.error_class in BUSY:
        return error.retry_after or 0.0
    if error.error_class == ErrorClass.CALLER:  # nothing is wrong with a look: the task is
        raise failed_task(error.message) from error
    if error.error_class not in PASSING:
        raise error
    if misses < MISSES:
        return 0.0
    if error.error_class == ErrorClass.MODEL_GONE:
        raise failed_task("the vendor does not know the task any more") from error
    if error.error_class == ErrorClass.TIMEOUT:
        raise ProviderError(ErrorClass.TRANSIENT, error.message) from error
    raise error


def failed_task(message: str) -> ProviderError:
    """The error for work that the vendor gave up: of a class that is not taken for a failed look."""
    return ProviderError(ErrorClass.TRUNCATED, message)


def final(error: ProviderError) -> ProviderError:
    """An error of a task that has ended, never of a class by which one would ask again."""
    if error.error_class in (*PASSING, *BUSY):
        return ProviderError(ErrorClass.TRUNCATED, error.message, status=error.status)
    return error


def looked_late(error: ProviderError) -> ProviderError:
    """An error of a look at a task that is done: what passes is of class CONNECT or TRANSIENT."""
    if error.error_class in (*BUSY, ErrorClass.TIMEOUT):
        return ProviderError(
            ErrorClass.TRANSIENT, error.message, status=error.status, retry_after=error.retry_after
        )
    if error.error_class in (ErrorClass.MODEL_GONE, ErrorClass.CALLER):
        return ProviderError(ErrorClass.EMPTY, f"the task is gone: {error.message}", status=error.status)
    return error
