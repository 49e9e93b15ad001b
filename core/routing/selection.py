"""Which candidate is tried next for one answer."""

import asyncio
from dataclasses import dataclass

from core.routing.candidates import Candidate, Plan
from core.routing.cooldown import NO_LEASES, Cooldown, Leases
from core.routing.probes import Prober
from core.routing.resting import Failure
from providers.errors import ErrorClass, ProviderError

LOOK_EVERY = 1.0  # seconds between looks at the rests while everything rests
TRIAL_LOOK_EVERY = 0.1  # the same while somebody tries one
RETRY_WITHIN = 1.0  # full jitter of the one retry
SOON = 5.0  # seconds of rest that are waited for before what has just failed is asked again
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
    leases: Leases
    began: float


class Selection:
    """The order of one answer's attempts: whatever is eligible, in the route's order, without waiting;
    then the soonest of one retry and of each rest's end; and when all rest for too long, the one whose
    failure is longest ago. Attempts begin before `until`, waits end before `patience` (the loop's clock).
    `resting` names what was passed over because it rests."""

    def __init__(self, cooldown: Cooldown, prober: Prober, plan: Plan, until: float, patience: float) -> None:
        self.resting: dict[str, None] = {}
        self._cooldown = cooldown
        self._prober = prober
        self._plan = plan
        self._until = until
        self._patience = min(patience, until)
        self._loop = asyncio.get_running_loop()
        self._tried: set[int] = set()
        self._rested: set[int] = set()  # put to rest by a failure of this very answer
        self._awaited: set[int] = set()
        self._avoided: set[str] = set()
        self._hopeless: set[str] = set()
        self._barred: set[int] = set()
        self._slow: list[Candidate] = []
        self._retry: tuple[float, Candidate] | None = None
        self._retried = False

    async def next(self) -> Choice | None:
        """The next attempt, or None when there is nothing more to try."""
        if not self._plan.candidates or self._loop.time() >= self._until:
            return None
        await self._cooldown.refresh()
        choice = await self._eligible() or await self._soonest() or self._last_resort()
        if choice is not None:
            self.resting.pop(choice.candidate.name, None)
        return choice

    def bar(self, candidates: set[int]) -> None:
        """Ask these no more; by their place in the plan."""
        self._barred |= candidates
        if self._retry and self._plan.candidates.index(self._retry[1]) in candidates:
            self._retry = None

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
            if error.error_class is ErrorClass.TIMEOUT:
                self._slow.append(choice.candidate)
        else:
            self._hopeless.add(scope or scopes.endpoint_model)
        by, leases = choice.leases
        self._cooldown.release((by, tuple(lease for lease in leases if lease != scope)))
        if scope is None:
            return ""
        failure = Failure(
            error.error_class,
            choice.began,
            error.retry_after,
            sole=all(scope in one.scopes for one in self._plan.candidates),
            jitter=self._cooldown.jitter(),
            fixed=choice.candidate.config.options.get("cooldown"),
        )
        if not self._cooldown.failed(scope, failure):
            return ""
        self._rested |= {index for index, one in enumerate(self._plan.candidates) if scope in one.scopes}
        return scope

    def proved(self, choice: Choice) -> None:
        """It speaks: all is well but, perhaps, the rest of the answer."""
        if choice.leases[1]:
            scopes = choice.candidate.scopes
            self._cooldown.succeeded([one for one in scopes if one != scopes.route], choice.began)

    def succeeded(self, choice: Choice) -> None:
        """Learn that it works."""
        self._cooldown.succeeded(choice.candidate.scopes, choice.began)

    def abandoned(self, choice: Choice) -> None:
        """Nothing was learnt: a cancelled attempt is not a failure."""
        self._cooldown.release(choice.leases)

    def free_at(self) -> float | None:
        """When the first candidate may answer again (UTC epoch seconds); None when nobody said."""
        lefts = [self._cooldown.left(one.scopes) for one in self._plan.candidates]
        if self._retry and self._retry[0] >= self._patience:  # a vendor's own word, too late for this answer
            lefts.append(self._retry[0] - self._loop.time())
        soonest = min((left for left in lefts if left > 0), default=None)
        return None if soonest is None else self._cooldown.clock.wall() + soonest

    async def _eligible(self) -> Choice | None:
        for index, candidate in enumerate(self._plan.candidates):
            if not self._fresh(index, candidate):
                continue
            if not self._cooldown.left(candidate.scopes) and not await self._probed(index, candidate):
                choice = await self._leased(candidate)
                if choice is not None:
                    self._tried.add(index)
                    return choice
            self.resting[candidate.name] = None
        return None

    async def _probed(self, index: int, candidate: Candidate) -> bool:
        """Whether a candidate that rested is tried in the background, because another can answer."""
        rested = self._cooldown.rested(candidate.scopes)
        if not rested or not self._prober.can_prove(candidate, rested) or not self._healthy_beside(index):
            return False
        leases = await self._cooldown.lease(candidate.scopes)
        if leases is not None:
            self._prober.start(candidate, leases, rested)
        return True

    def _healthy_beside(self, index: int) -> bool:
        return any(
            other != index
            and self._fresh(other, one)
            and not self._cooldown.left(one.scopes)
            and not self._cooldown.rested(one.scopes)
            for other, one in enumerate(self._plan.candidates)
        )

    def _fresh(self, index: int, candidate: Candidate) -> bool:
        tried = index in self._tried or index in self._barred
        return not tried and not self._avoids(candidate, self._avoided)

    async def _soonest(self) -> Choice | None:
        """Wait for the retry or the end of a rest, whichever comes first."""
        while True:
            waits = [
                (self._cooldown.left(one.scopes), index)
                for index, one in enumerate(self._plan.candidates)
                if self._may_wait_for(index, one)
            ]
            pause, index = min(waits, default=(float("inf"), -1))
            if self._retry and not self._retried and self._retries_before(pause, *self._retry):
                return await self._again(*self._retry)
            if any(self._cooldown.on_trial(self._plan.candidates[one].scopes) for _, one in waits):
                pause = min(pause, TRIAL_LOOK_EVERY)
            if self._loop.time() + pause >= self._patience:
                return None
            choice = None
            if index >= 0 and not self._cooldown.left(self._plan.candidates[index].scopes):
                choice = await self._leased(self._plan.candidates[index])
            if choice is not None:
                self._tried.add(index)
                self._awaited.add(index)
                return choice
            await asyncio.sleep(min(pause or TRIAL_LOOK_EVERY, LOOK_EVERY))
            await self._cooldown.refresh()

    def _retries_before(self, pause: float, at: float, candidate: Candidate) -> bool:
        """Whether to ask again what has just failed, rather than wait so long for another's rest to end."""
        now = self._loop.time()
        if at - now > pause:
            return False
        if now + pause >= self._patience:
            return True
        # A slow one would cost its whole deadline a second time.
        return pause > SOON and candidate not in self._slow

    async def _again(self, at: float, candidate: Candidate) -> Choice | None:
        self._retried = True
        if at >= self._patience:
            return await self._soonest()
        await asyncio.sleep(max(at - self._loop.time(), 0.0))
        return Choice(candidate, NO_LEASES, self._cooldown.clock.now())

    def _last_resort(self) -> Choice | None:
        candidates = self._plan.candidates
        places = [index for index in range(len(candidates)) if index not in self._barred]
        if self._tried or not places:
            return None
        index = min(places, key=lambda one: self._cooldown.failed_at(candidates[one].scopes))
        self._tried.add(index)
        self._retried = True
        return Choice(candidates[index], NO_LEASES, self._cooldown.clock.now())

    async def _leased(self, candidate: Candidate) -> Choice | None:
        began = self._cooldown.clock.now()
        leases = await self._cooldown.lease(candidate.scopes)
        return None if leases is None else Choice(candidate, leases, began)

    def _may_wait_for(self, index: int, candidate: Candidate) -> bool:
        """Each rest is awaited once, and only when its end can change anything."""
        if index in self._awaited or index in self._barred or self._avoids(candidate, self._hopeless):
            return False
        if index in self._tried or self._avoids(candidate, self._avoided):
            return index in self._rested
        return True

    def _avoids(self, candidate: Candidate, scopes: set[str]) -> bool:
        return any(scope in scopes for scope in candidate.scopes)
