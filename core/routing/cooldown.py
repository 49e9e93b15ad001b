"""Cooldown: which keys, models and servers rest after failures, shared by all processes through rows.

A process reads the rows at most once a second. It writes only after a failure, after a success that followed
failures, and to lease the one trial after a rest: a healthy call costs no write. Times are wall-clock,
so that rests outlive a restart.
"""

import asyncio
import hashlib
import logging
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.routing.resting import LONGEST_REST, Failure, Rest, after_failure
from db import cooldowns
from db.database import Database
from providers.errors import ErrorClass

CACHED_FOR = 1.0
TRIAL_FOR = 30.0  # the lease of a trial; a stream that began in it may go on longer
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Scopes:
    """The names of everything that one attempt depends on."""

    key: str
    key_model: str
    endpoint: str
    endpoint_model: str
    route: str

    def __iter__(self) -> Any:
        return iter((self.key, self.key_model, self.endpoint, self.endpoint_model, self.route))

    def of(self, error_class: ErrorClass) -> str | None:
        """What rests after an error of this class; None: nothing does."""
        match error_class:
            case ErrorClass.RATE_LIMIT:
                return self.key_model
            case ErrorClass.QUOTA | ErrorClass.CREDENTIAL:
                return self.key
            case ErrorClass.MODEL_GONE:
                return self.endpoint_model
            case ErrorClass.CONNECT | ErrorClass.OVERLOAD:
                return self.endpoint
            case ErrorClass.CONTEXT | ErrorClass.CONTENT | ErrorClass.CALLER:
                return None
            case _:
                return self.route


def scopes_of(provider_id: str, base_url: str, key: str, model: str) -> Scopes:
    """Names that people can read; keys and addresses only as digests, so that a changed one starts anew."""
    at, by, model = _digest(base_url), _digest(key), model[:180]
    return Scopes(
        key=f"key:{provider_id}:{by}",
        key_model=f"key-model:{provider_id}:{by}:{model}",
        endpoint=f"endpoint:{provider_id}:{at}",
        endpoint_model=f"model:{provider_id}:{at}:{model}",
        route=f"route:{provider_id}:{at}:{by}:{model}",
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:10]


class Cooldown:
    """One process's view of the rests."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], float] = time.time,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._clock = clock
        self._jitter = jitter
        self._rests: dict[str, Rest] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._turn = asyncio.Lock()
        self._writing: set[asyncio.Task[None]] = set()

    def now(self) -> float:
        """The clock that rests are measured by."""
        return self._clock()

    async def refresh(self) -> None:
        """Read the rows, unless that was done within the last second."""
        async with self._reading:
            if abs(self._clock() - self._read_at) < CACHED_FOR:
                return
            await self.flush()  # else our own last failures would be missing
            await self._guarded(self._read())

    def free_at(self, scopes: Iterable[str]) -> float:
        """When all scopes have rested enough (0: now); a scope in trial by another counts as resting."""
        now, latest = self._clock(), 0.0
        for rest in self._known(scopes):
            until = max(rest.until, rest.trial_until)
            if now < until < now + LONGEST_REST:  # else the clock was set back
                latest = max(latest, until)
        return latest

    def failed_at(self, scopes: Iterable[str]) -> float:
        """When one of the scopes failed last; 0: none did."""
        return max((rest.updated_at for rest in self._known(scopes)), default=0.0)

    async def lease(self, scopes: Iterable[str]) -> list[str] | None:
        """The right to try scopes that have just rested: their names, [] when none did, None when
        another process is trying."""
        rested = [name for name in scopes if (rest := self._rests.get(name)) and rest.until]
        if not rested:
            return []
        taken: list[str] = []
        await self._guarded(self._lease(rested, taken))
        if len(taken) == len(rested):
            for name in taken:
                self._rests[name] = replace(self._rests[name], trial_until=self._clock() + TRIAL_FOR)
            return taken
        self.release(taken)
        self._read_at = float("-inf")
        return None

    def failed(self, scope: str, failure: Failure) -> float:
        """Learn from a failure, at once here and soon in the rows. Returns when the scope is free again."""
        rest = after_failure(self._rests.get(scope), failure, self._clock())
        if rest is None:
            return 0.0
        self._rests[scope] = rest
        self._write(self._fail(scope, failure))
        return rest.until

    def succeeded(self, scopes: Iterable[str], began: float) -> None:
        """Forget the failures of what has just worked, but not those that came after it began."""
        healed = [name for name in scopes if (rest := self._rests.get(name)) and rest.updated_at <= began]
        for name in healed:
            del self._rests[name]
        if healed:
            self._write(self._succeed(healed, began))

    def release(self, scopes: Iterable[str]) -> None:
        """Give leases back that came to no verdict."""
        names = list(scopes)
        for name in names:
            if name in self._rests:
                self._rests[name] = replace(self._rests[name], trial_until=0.0)
        if names:
            self._write(self._release(names))

    def jitter(self) -> float:
        """A random part of 1."""
        return self._jitter()

    async def flush(self) -> None:
        """Wait until everything learnt is in the rows."""
        while self._writing:
            await asyncio.wait(set(self._writing))

    def _known(self, scopes: Iterable[str]) -> Iterable[Rest]:
        return [self._rests[name] for name in scopes if name in self._rests]

    def _write(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._in_turn(work))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _in_turn(self, work: Awaitable[None]) -> None:
        async with self._turn:
            await self._guarded(work)

    async def _guarded(self, work: Awaitable[None]) -> None:
        """Answering goes on without the rows: what this process knows by itself must do then."""
        try:
            await work
        except (SQLAlchemyError, OSError):
            logger.exception("cooldown rows cannot be used")

    async def _read(self) -> None:
        self._read_at = self._clock()
        async with self._database.reading() as conn:
            rows = await cooldowns.all_cooldowns(conn)
        self._rests = {row.scope: _rest(row) for row in rows}

    async def _lease(self, scopes: list[str], taken: list[str]) -> None:
        async with self._database.transaction() as conn:
            for scope in scopes:
                if not await cooldowns.take_trial(conn, scope, self._clock(), TRIAL_FOR):
                    break
                taken.append(scope)

    async def _fail(self, scope: str, failure: Failure) -> None:
        async with self._database.transaction() as conn:
            rest = after_failure(await self._stored(conn, scope), failure, self._clock())
            if rest is not None:
                self._rests[scope] = rest
                await cooldowns.save_cooldown(conn, scope, **asdict(rest))

    async def _stored(self, conn: AsyncConnection, scope: str) -> Rest | None:
        row = await cooldowns.get_cooldown(conn, scope)
        return None if row is None else _rest(row)

    async def _succeed(self, scopes: list[str], began: float) -> None:
        async with self._database.transaction() as conn:
            for scope in scopes:
                await cooldowns.drop_cooldown(conn, scope, before=began)

    async def _release(self, scopes: list[str]) -> None:
        async with self._database.transaction() as conn:
            for scope in scopes:
                await cooldowns.end_trial(conn, scope)


def _rest(row: Any) -> Rest:
    return Rest(row.error_class, row.failures, row.until, row.trial_until, row.updated_at)
