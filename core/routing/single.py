"""Calls beside chat over a route: the first candidate that has the call, answers it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from core.routing.attempts import CANCELLED, AllCandidatesFailed, Attempt, Skipped, moderated
from core.routing.candidates import Plan
from core.routing.pool import Lent
from core.routing.selection import Choice, Selection
from core.routing.spec import RouteSpec
from core.routing.stream import START_WITHIN, Parts, Terms
from providers.errors import ErrorClass, ProviderError
from providers.types import ChatRequest, Provider, ProviderConfig

Found = TypeVar("Found")
# What a vendor says of one kind of call tells of chat as well; that it has no such model does not.
_TELLING = frozenset(
    {ErrorClass.RATE_LIMIT, ErrorClass.QUOTA, ErrorClass.CREDENTIAL, ErrorClass.OVERLOAD, ErrorClass.CONNECT}
)


@dataclass(frozen=True, slots=True)
class Ask(Generic[Found]):
    """A call: `fits` says which providers may have it, `of` makes it (provider, model, key)."""

    fits: Callable[[ProviderConfig], bool]
    of: Callable[[Provider, str, str], Awaitable[Found]]


class SingleCall(Generic[Found]):
    """One call on its way; `attempts` and `skipped` as those of a RouteStream. Close it when its result is
    read: the provider is lent until then."""

    def __init__(self, parts: Parts, spec: RouteSpec, ask: Ask[Found], terms: Terms) -> None:
        self.attempts: list[Attempt] = []
        self._parts = parts
        self._spec = spec
        self._ask = ask
        self._terms = terms
        self._plan = Plan((), False)
        self._began = 0.0
        self._lent: Lent | None = None

    @property
    def skipped(self) -> list[Skipped]:
        """Who was not asked, and why."""
        return list(self._plan.skipped)

    async def result(self) -> Found:
        """What the first that could, answered. Raises AllCandidatesFailed."""
        parts, loop = self._parts, asyncio.get_running_loop()
        await parts.cooldown.refresh()
        plan = parts.plan(self._spec, ChatRequest(()), self._terms)
        fitting = tuple(one for one in plan.candidates if self._ask.fits(one.config))
        self._plan = replace(plan, candidates=fitting)
        until = min(loop.time() + START_WITHIN, self._terms.deadline)
        selection = Selection(parts.cooldown, parts.prober, self._plan, until, until)
        while (choice := await selection.next()) is not None:
            try:
                return await self._one(selection, choice)
            except ProviderError as error:
                self.attempts[-1].error = error.message
                await self._give_back()
        raise AllCandidatesFailed(
            self.attempts, selection.free_at(), moderated(self.attempts),
            over_limit=self._plan.over_limit, skipped=self.skipped,
        )  # fmt: skip

    def ended(self, input_tokens: int | None, output_tokens: int | None) -> None:
        """The answer is whole: what it took."""
        attempt = self.attempts[-1]
        attempt.outcome = "ok"
        attempt.input_tokens, attempt.output_tokens = input_tokens, output_tokens
        if input_tokens is not None and output_tokens is not None:
            attempt.settle(ChatRequest(()), 0)
        self._time(attempt)

    def broke(self) -> None:
        """The answer broke off while it was read."""
        self.attempts[-1].outcome = str(ErrorClass.TRUNCATED)

    async def close(self) -> None:
        """Nobody reads any more; an answer that has not ended is cancelled."""
        if self.attempts and not self.attempts[-1].outcome:
            self.attempts[-1].outcome = CANCELLED
            self._time(self.attempts[-1])
        await self._give_back()

    async def _one(self, selection: Selection, choice: Choice) -> Found:
        candidate = choice.candidate
        attempt = Attempt(
            candidate.config.id, candidate.model, free=candidate.free, price=candidate.price,
            key_number=candidate.key_number,
        )  # fmt: skip
        self.attempts.append(attempt)
        self._began = asyncio.get_running_loop().time()
        told = False
        try:
            lent = self._lent = await self._parts.pool.lend(candidate)
            attempt.model = lent.name
            async with asyncio.timeout_at(self._terms.deadline):
                found = await self._ask.of(lent.entry.provider, lent.name, candidate.key)
            told = True
            selection.succeeded(choice)
            return found
        except TimeoutError as error:
            attempt.outcome = str(ErrorClass.TIMEOUT)
            raise ProviderError(ErrorClass.TIMEOUT, "the deadline has come") from error
        except ProviderError as error:
            attempt.outcome = str(error.error_class)
            if error.error_class in _TELLING:
                told = True
                attempt.cooled = selection.failed(choice, error)
            raise
        finally:
            self._time(attempt)
            if not told:
                selection.abandoned(choice)

    async def _give_back(self) -> None:
        lent, self._lent = self._lent, None
        if lent is not None:
            await self._parts.pool.give_back(lent)

    def _time(self, attempt: Attempt) -> None:
        attempt.total_ms = round((asyncio.get_running_loop().time() - self._began) * 1000, 1)
