"""A route: ordered candidates that look like one model, which does not fail while one of them works."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from core.routing.allowance import UNLIMITED, Allowance
from core.routing.attempts import AllCandidatesFailed, AnswerBroken, Attempt, Skipped, moderated
from core.routing.call import Call
from core.routing.candidates import KNOWLEDGE, Plan, plan_of
from core.routing.cooldown import Cooldown
from core.routing.pool import ProviderPool
from core.routing.selection import Choice, Selection
from core.routing.spec import RouteSpec
from core.routing.states import CandidateState
from db.database import Database
from providers.errors import ErrorClass, ProviderError
from providers.types import ChatModel, ChatRequest, Delta, Finish

__all__ = ["AllCandidatesFailed", "AnswerBroken", "Attempt", "RouteStream", "Router", "Skipped"]

START_WITHIN = 60.0  # seconds in which attempts may begin; the caller's deadline ends them
KNOWLEDGE_PATIENCE = 10.0  # seconds of waiting for resting vendors when the knowledge answerer stands by
KNOWLEDGE_NEEDS = 2.0  # seconds before the deadline that are kept for the knowledge answerer
logger = logging.getLogger(__name__)


class Router:
    """Opens routes; one per process. Providers stay open between answers."""

    def __init__(
        self, database: Database, *, knowledge: ChatModel | None = None, cooldown: Cooldown | None = None
    ) -> None:
        self.knowledge = knowledge
        self.cooldown = cooldown or Cooldown(database)
        self.pool = ProviderPool()

    def open(
        self,
        spec: RouteSpec,
        request: ChatRequest,
        deadline: float,
        *,
        allowance: Allowance = UNLIMITED,
        affinity: str = "",
        replaces: bool = True,
    ) -> "RouteStream":
        """The answer of a route; `deadline` is on the monotonic clock. One conversation's `affinity` keeps
        it with one key of several. Without `replaces` the reader cannot take back what it saw: no Restart
        comes, but AnswerBroken where nobody can go on."""
        return RouteStream(self, _terms(spec, request, deadline), request)

    async def states(self, spec: RouteSpec) -> list[CandidateState]:
        """How each candidate of a route is now."""
        await self.cooldown.refresh()
        return [
            CandidateState(one.config.id, one.config.id, one.model, 0, "healthy")
            for one in plan_of(spec, ChatRequest(())).candidates
        ]

    async def close(self) -> None:
        """Close all providers and write down what was learnt."""
        await self.cooldown.flush()
        await self.pool.close()


@dataclass(frozen=True, slots=True)
class Terms:
    """What one answer is made under: the plan, until when attempts at vendors may begin (`until`), be
    waited for (`patience`) and last (`end`), and whether another vendor is asked what one refused."""

    plan: Plan
    until: float
    patience: float
    end: float
    deadline: float
    content_falls_back: bool


def _terms(spec: RouteSpec, request: ChatRequest, deadline: float) -> Terms:
    settings = spec.settings
    now = asyncio.get_running_loop().time()
    start = float(settings.get("deadline") or START_WITHIN)
    plan = plan_of(spec, request)
    end = deadline - (KNOWLEDGE_NEEDS if plan.knowledge else 0.0)
    return Terms(
        plan=plan,
        until=min(now + start, end),
        patience=now + (KNOWLEDGE_PATIENCE if plan.knowledge else start),
        end=end,
        deadline=deadline,
        content_falls_back=settings.get("content_fallback", True) is not False,
    )


class RouteStream:
    """Iterate it for deltas: text, then Finish; a Restart means that the text so far is replaced.

    Raises AllCandidatesFailed. `aclose()` may be called from any task, also while another waits for a
    delta: the upstream call is closed at once, and the attempt counts as cancelled, not as failed.
    """

    def __init__(self, router: Router, terms: Terms, request: ChatRequest) -> None:
        self.attempts: list[Attempt] = []
        self.skipped: list[Skipped] = []
        self._router = router
        self._terms = terms
        self._request = request
        self._selection = Selection(router.cooldown, terms.plan, terms.until, terms.patience)
        self._committed = False
        self._source = self._answer()
        self._reader: asyncio.Task[object] | None = None
        self._left = asyncio.Event()
        self._closed = False

    def __aiter__(self) -> AsyncIterator[Delta]:
        return self

    async def __anext__(self) -> Delta:
        if self._closed:
            raise StopAsyncIteration
        self._reader = asyncio.current_task()
        try:
            return await self._source.__anext__()
        finally:
            self._reader = None
            self._left.set()

    async def aclose(self) -> None:
        """Stop; closes the upstream connection."""
        self._closed = True
        reader = self._reader
        if reader is not None and reader is not asyncio.current_task():
            self._left.clear()
            reader.cancel()
            await self._left.wait()
        await self._source.aclose()

    async def _answer(self) -> AsyncGenerator[Delta, None]:
        while (choice := await self._selection.next()) is not None:
            try:
                async with aclosing(self._try(choice)) as deltas:
                    async for delta in deltas:
                        yield delta
                return
            except ProviderError as error:
                if error.error_class is ErrorClass.CONTENT and not self._terms.content_falls_back:
                    break
        else:
            if self._terms.plan.knowledge and self._router.knowledge is not None:
                try:
                    async with aclosing(self._know(self._router.knowledge)) as deltas:
                        async for delta in deltas:
                            yield delta
                    return
                except ProviderError as error:
                    logger.debug("the knowledge answerer: %s", error)
        raise AllCandidatesFailed(self.attempts, self._selection.free_at(), moderated(self.attempts))

    async def _try(self, choice: Choice) -> AsyncGenerator[Delta, None]:
        """One attempt at a candidate, and what is learnt from it."""
        candidate = choice.candidate
        attempt = Attempt(candidate.config.id, candidate.model)
        self.attempts.append(attempt)
        call = Call(attempt, self._request, self._terms.end, replaces=self._committed)
        settled = False
        try:
            async with (
                self._router.pool.model(candidate) as (attempt.model, model),
                aclosing(call.run(model)) as deltas,
            ):
                async for delta in deltas:
                    self._committed |= call.committed
                    if isinstance(delta, Finish):
                        settled = True
                        self._selection.succeeded(choice)
                    yield delta
        except ProviderError as error:
            attempt.outcome, attempt.error = str(error.error_class), error.message
            if not call.out_of_time:
                settled = True
                attempt.cooled = self._selection.failed(choice, error)
            logger.info("%s:%s failed: %s", attempt.provider_id, attempt.model, error)
            raise
        finally:
            attempt.outcome = attempt.outcome or "cancelled"
            if not settled:
                self._selection.abandoned(choice)

    async def _know(self, model: ChatModel) -> AsyncGenerator[Delta, None]:
        """The knowledge answerer's attempt; it is never learnt from."""
        attempt = Attempt(KNOWLEDGE, KNOWLEDGE)
        self.attempts.append(attempt)
        call = Call(attempt, self._request, self._terms.deadline, replaces=self._committed)
        async with aclosing(call.run(model)) as deltas:
            async for delta in deltas:
                yield delta
