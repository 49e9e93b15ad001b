"""Cooldown: which keys, models and servers rest after failures, as one process knows it.

It looks at what other processes have learnt at most once a second. It writes only after a failure, after a
success that followed failures, and to lease the one trial after a rest: a healthy call costs no write.
What cannot be written now is written later; until then this process goes by what it knows itself.
"""

import asyncio
import logging
import random
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

from core.routing.clock import Clock
from core.routing.resting import (
    LONGEST_REST,
    Failure,
    Rest,
    after_failure,
    after_success,
    given_back,
    leased,
)
from core.routing.state import RestStore, Unusable

CACHED_FOR = 1.0
TRIAL_FOR = 30.0  # the lease of a trial; a stream that began in it may go on longer
AGAIN = 0.5  # seconds between attempts to write what could not be written
MOST_UNWRITTEN = 5000
NEVER = float("-inf")
logger = logging.getLogger(__name__)


class Decide(Protocol):
    """A rest's next state, from its last; applying it twice must change nothing more."""

    def __call__(self, rest: Rest | None, /) -> Rest | None:
        """The next state."""
        ...


class Cooldown:
    """One process's view of the rests; without a store it knows only its own. Moments are on the clock's
    steady time."""

    def __init__(
        self,
        store: RestStore | None = None,
        *,
        clock: Clock | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.clock = clock or Clock()
        self.jitter = jitter
        self._store = store
        self._rests: dict[str, Rest] = {}
        self._read_at = NEVER
        self._unwritten: list[tuple[str, Decide]] = []
        self._writer: asyncio.Task[None] | None = None
        self._told = False

    async def refresh(self) -> None:
        """Look at what others have learnt, unless that was done within the last second."""
        moment = self.clock.now()
        if self._store is None or 0 <= moment - self._read_at < CACHED_FOR:
            return
        self._read_at = moment
        try:
            found = await self._store.changes()
        except Unusable as error:
            return self._trouble(error)
        if found is not None:
            known = {scope: self.clock.known(rest) for scope, rest in found.items()}
            self._rests = {scope: rest for scope, rest in known.items() if rest}
            for scope, decide in self._unwritten:
                self._decided(scope, decide(self._rests.get(scope)))

    def left(self, scopes: Iterable[str]) -> float:
        """Seconds that the scopes still rest, 0: none does. One that somebody tries counts as resting."""
        now, longest = self.clock.now(), 0.0
        for name in scopes:
            rest = self._rests.get(name) if self._rests else None
            if rest is not None:
                left = max(rest.until, rest.trial_until) - now
                if longest < left < LONGEST_REST:
                    longest = left
        return longest

    def on_trial(self, scopes: Iterable[str]) -> bool:
        """Whether somebody tries one of the scopes now."""
        now = self.clock.now()
        return any(rest.trial_until > now for rest in self.known(scopes).values())

    def failed_at(self, scopes: Iterable[str]) -> float:
        """When one of the scopes failed last, NEVER if none did."""
        return max((rest.updated_at for rest in self.known(scopes).values()), default=NEVER)

    def known(self, scopes: Iterable[str]) -> dict[str, Rest]:
        """What is known of those scopes that failed."""
        return {name: self._rests[name] for name in scopes if name in self._rests}

    async def all(self) -> dict[str, Rest]:
        """All rests as they are now, in wall-clock time: for operators."""
        await self.refresh()
        stored = {scope: self.clock.stored(rest) for scope, rest in self._rests.items()}
        return {scope: rest for scope, rest in stored.items() if rest}

    def rested(self, scopes: Iterable[str]) -> dict[str, Rest]:
        """Those scopes whose rest is over and which nobody has tried since."""
        return {name: rest for name, rest in self.known(scopes).items() if rest.until}

    async def lease(self, scopes: Iterable[str]) -> "Leases | None":
        """The right to try scopes that have just rested; None when somebody else is trying one."""
        rested = self.rested(scopes)
        if not rested:
            return NO_LEASES
        by = uuid.uuid4().hex[:12]
        taken: list[str] = []
        for name in rested:
            rest = await self._now(name, partial(_leased, by=by, clock=self.clock))
            if rest is not None and rest.trial_by != by:
                self.release((by, tuple(taken)))
                return None
            taken.append(name)
        return by, tuple(taken)

    def failed(self, scope: str, failure: Failure) -> float:
        """Learn from a failure, at once here and soon in the store. Returns the seconds of rest."""
        rest = after_failure(self._rests.get(scope), failure, self.clock.now())
        if rest is None:
            return 0.0
        self._later(scope, partial(_failed, failure=failure, at=self.clock.now()))
        return max(rest.until - self.clock.now(), 0.0)

    def succeeded(self, scopes: Iterable[str], began: float) -> None:
        """Forget the failures of what has just worked, but not those that came after it began."""
        if self._rests:
            for name, rest in self.known(scopes).items():
                if rest.updated_at <= began:
                    self._later(name, partial(after_success, began=began))

    def release(self, leases: "Leases") -> None:
        """Give leases back that came to no verdict."""
        by, names = leases
        for name in names:
            self._later(name, partial(given_back, by=by))

    async def flush(self) -> None:
        """Wait until everything learnt is in the store, if that can be used."""
        if self._writer is not None and not self._told:
            await asyncio.wait({self._writer}, timeout=1.0)

    async def close(self) -> None:
        """Write what is left and close the store."""
        await self.flush()
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait({self._writer})
        if self._store is not None:
            await self._store.close()

    async def _now(self, scope: str, decide: Decide) -> Rest | None:
        """Decide in the store, or here when it cannot be used."""
        if self._store is not None and not self._told:
            try:
                stored = await self._store.update(scope, partial(_on_wall, decide=decide, clock=self.clock))
            except Unusable as error:
                self._trouble(error)
            else:
                self._decided(scope, self.clock.known(stored))
                return self._rests.get(scope)
        self._later(scope, decide)
        return self._rests.get(scope)

    def _later(self, scope: str, decide: Decide) -> None:
        self._decided(scope, decide(self._rests.get(scope)))
        if self._store is None:
            return
        del self._unwritten[: len(self._unwritten) - MOST_UNWRITTEN]
        self._unwritten.append((scope, decide))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(self._store))

    def _decided(self, scope: str, rest: Rest | None) -> None:
        if rest is None:
            self._rests.pop(scope, None)
        else:
            self._rests[scope] = rest

    async def _write(self, store: RestStore) -> None:
        """Write until nothing is left; a store that is away is tried again and again."""
        while self._unwritten:
            scope, decide = self._unwritten[0]
            try:
                await store.update(scope, partial(_on_wall, decide=decide, clock=self.clock))
            except Unusable as error:
                self._trouble(error)
                await asyncio.sleep(AGAIN)
                continue
            if self._unwritten and self._unwritten[0][1] is decide:
                del self._unwritten[0]
            self._told = False

    def _trouble(self, error: Unusable) -> None:
        if not self._told:
            logger.warning("cooldowns are this process's own for now: %s", error)
        self._told = True


Leases = tuple[str, tuple[str, ...]]
NO_LEASES: Leases = ("", ())


def _on_wall(rest: Rest | None, *, decide: Decide, clock: Clock) -> Rest | None:
    """A decision about a stored rest; what it leaves as it is stays so to the last digit."""
    known = clock.known(rest)
    decided = decide(known)
    return rest if decided == known else clock.stored(decided)


def _failed(rest: Rest | None, /, *, failure: Failure, at: float) -> Rest | None:
    return after_failure(rest, failure, at)


def _leased(rest: Rest | None, /, *, by: str, clock: Clock) -> Rest | None:
    return leased(rest, by, clock.now(), TRIAL_FOR)
