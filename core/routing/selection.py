"""Which candidate is tried next for one answer."""

import asyncio
from dataclasses import dataclass

from core.routing.candidates import Candidate, Plan
from core.routing.cooldown import Cooldown
from core.routing.resting import Failure
from providers.errors import ErrorClass, ProviderError

LOOK_EVERY = 1.0  # seconds between looks at the rows while everything rests
RETRY_WITHIN = 1.0  # full jitter of the one retry
_RETRYABLE = frozenset(
    {
        ErrorClass.RATE_LIMIT, ErrorClass.OVERLOAD, ErrorClass.TRANSIENT, ErrorClass.TIMEOUT,
        ErrorClass.CONNECT, ErrorClass.TRUNCATED, ErrorClass.EMPTY,
    }
)  # fmt: skip


@dataclass(slots=True)
class Choice:
    """A candidate to try now, and the trials leased for it; `began` is on the cooldown's clock."""

    candidate: Candidate
    leases: tuple[str, ...]
    began: float


class Selection:
    """The order of one answer's attempts: whatever is eligible, in the route's order, without waiting;
    then the soonest of one retry and of each rest's end; and when all rest for too long, the one whose
    failure is longest ago. Attempts begin before `until`, waits end before `patience` (the loop's clock)."""

    def __init__(self, cooldown: Cooldown, plan: Plan, until: float, patience: float) -> None:
        self._cooldown = cooldown
        self._plan = plan
        self._until = until
        self._patience = min(patience, until)
        self._loop = asyncio.get_running_loop()
        self._tried: set[int] = set()
        self._rested: set[int] = set()  # put to rest by a failure of this very answer
        self._awaited: set[int] = set()
        self._avoided: set[str] = set()
        self._hopeless: set[str] = set()
        self._retry: tuple[float, Candidate] | None = None
        self._retried = False

    async def next(self) -> Choice | None:
        """The next attempt, or None when there is nothing more to try."""
        if not self._plan.candidates or self._loop.time() >= self._until:
            return None
        await self._cooldown.refresh()
        return await self._eligible() or await self._soonest() or self._last_resort()

    def failed(self, choice: Choice, error: ProviderError) -> str:
        """Learn from a failed attempt; returns the scope that rests now, or ""."""
        scopes = choice.candidate.scopes
        scope = scopes.of(error.error_class)
        self._avoided.add(scope or scopes.endpoint_model)
        if error.error_class in _RETRYABLE:
            pause = error.retry_after
            if pause is None:
                pause = self._cooldown.jitter() * RETRY_WITHIN
            self._retry = (self._loop.time() + pause, choice.candidate)
        else:
            self._hopeless.add(scope or scopes.endpoint_model)
        self._cooldown.release(lease for lease in choice.leases if lease != scope)
        if scope is None:
            return ""
        sole = all(scope in one.scopes for one in self._plan.candidates)
        jitter = self._cooldown.jitter()
        failure = Failure(error.error_class, choice.began, error.retry_after, sole, jitter)
        if not self._cooldown.failed(scope, failure):
            return ""
        self._rested |= {index for index, one in enumerate(self._plan.candidates) if scope in one.scopes}
        return scope

    def succeeded(self, choice: Choice) -> None:
        """Learn that it works."""
        self._cooldown.succeeded(choice.candidate.scopes, choice.began)

    def abandoned(self, choice: Choice) -> None:
        """Nothing was learnt: a cancelled attempt is not a failure."""
        self._cooldown.release(choice.leases)

    def free_at(self) -> float | None:
        """When the first candidate may answer again (UTC epoch seconds); None when nobody said."""
        times = [self._cooldown.free_at(one.scopes) for one in self._plan.candidates]
        if self._retry and self._retry[0] >= self._patience:  # a vendor's own word, too late for this answer
            times.append(self._cooldown.now() + self._retry[0] - self._loop.time())
        return min((time for time in times if time), default=None)

    async def _eligible(self) -> Choice | None:
        for index, candidate in enumerate(self._plan.candidates):
            if index in self._tried or self._avoids(candidate, self._avoided):
                continue
            if self._cooldown.free_at(candidate.scopes):
                continue
            choice = await self._leased(candidate)
            if choice is not None:
                self._tried.add(index)
                return choice
        return None

    async def _soonest(self) -> Choice | None:
        """Wait for the retry or the end of a rest, whichever comes first."""
        while True:
            waits = [
                (max(self._cooldown.free_at(one.scopes) - self._cooldown.now(), 0.0), index)
                for index, one in enumerate(self._plan.candidates)
                if self._may_wait_for(index, one)
            ]
            pause, index = min(waits, default=(float("inf"), -1))
            if self._retry and not self._retried and self._retry[0] - self._loop.time() <= pause:
                return await self._again(*self._retry)
            if self._loop.time() + pause >= self._patience:
                return None
            choice = None if pause else await self._leased(self._plan.candidates[index])
            if choice is not None:
                self._tried.add(index)
                self._awaited.add(index)
                return choice
            await asyncio.sleep(min(pause or LOOK_EVERY / 4, LOOK_EVERY))
            await self._cooldown.refresh()

    async def _again(self, at: float, candidate: Candidate) -> Choice | None:
        self._retried = True
        if at >= self._patience:
            return await self._soonest()
        await asyncio.sleep(max(at - self._loop.time(), 0.0))
        return Choice(candidate, (), self._cooldown.now())

    def _last_resort(self) -> Choice | None:
        if self._tried:
            return None
        candidates = self._plan.candidates
        index = min(range(len(candidates)), key=lambda one: self._cooldown.failed_at(candidates[one].scopes))
        self._tried.add(index)
        self._retried = True
        return Choice(candidates[index], (), self._cooldown.now())

    async def _leased(self, candidate: Candidate) -> Choice | None:
        began = self._cooldown.now()
        leases = await self._cooldown.lease(candidate.scopes)
        return None if leases is None else Choice(candidate, tuple(leases), began)

    def _may_wait_for(self, index: int, candidate: Candidate) -> bool:
        """Each rest is awaited once, and only when its end can change anything."""
        if index in self._awaited or self._avoids(candidate, self._hopeless):
            return False
        if index in self._tried or self._avoids(candidate, self._avoided):
            return index in self._rested
        return True

    def _avoids(self, candidate: Candidate, scopes: set[str]) -> bool:
        return any(scope in scopes for scope in candidate.scopes)
