"""One answer of a route: attempts one after the other, joined to one stream of deltas."""

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace

from core.routing.allowance import UNLIMITED, Allowance
from core.routing.attempts import AllCandidatesFailed, AnswerBroken, Attempt, Skipped, moderated
from core.routing.call import Call
from core.routing.candidates import KNOWLEDGE, Candidate, Plan, Planner
from core.routing.continuation import Seam, continued, may_go_on
from core.routing.cooldown import Cooldown
from core.routing.eligibility import demand_of
from core.routing.pool import Lent, ProviderPool
from core.routing.probes import Prober
from core.routing.selection import Choice, Selection
from core.routing.spec import RouteSpec
from providers.errors import ErrorClass, ProviderError
from providers.types import CallPart, ChatModel, ChatRequest, Delta, Finish, Restart, Text

START_WITHIN = 60.0  # seconds in which attempts may begin; the caller's deadline ends them
KNOWLEDGE_PATIENCE = 10.0  # seconds of waiting for resting vendors when the knowledge answerer stands by
KNOWLEDGE_NEEDS = 2.0  # seconds before the deadline that are kept for the knowledge answerer
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """What one answer is made under; see Router.open."""

    deadline: float
    allowance: Allowance = UNLIMITED
    affinity: str = ""
    replaces: bool = True


@dataclass(frozen=True, slots=True)
class Parts:
    """What all answers of a process share."""

    knowledge: ChatModel | None
    cooldown: Cooldown
    pool: ProviderPool
    prober: Prober
    opened: Iterator[int] = field(default_factory=itertools.count)

    def plan(self, spec: RouteSpec, request: ChatRequest, terms: Terms) -> Plan:
        """Who may answer a request."""
        demand = demand_of(spec, request, terms.allowance)
        return Planner(
            spec, demand, self.cooldown.left, affinity=terms.affinity, spread=next(self.opened)
        ).plan()


class RouteStream:
    """Iterate it for deltas: text, then Finish; a Restart means that the text so far is replaced.

    Raises AllCandidatesFailed, or AnswerBroken. `aclose()` may be called from any task, also while another
    waits for a delta: the upstream call is closed at once, and the attempt counts as cancelled, not failed.
    """

    def __init__(self, parts: Parts, spec: RouteSpec, request: ChatRequest, terms: Terms) -> None:
        self.attempts: list[Attempt] = []
        self._parts = parts
        self._spec = spec
        self._request = request
        self._terms = terms
        self._plan = Plan((), False)
        self._selection: Selection | None = None
        self._end = terms.deadline
        self._call: Call | None = None
        self._choice: Choice | None = None
        self._lent: Lent | None = None
        self._shown: list[str] = []
        self._committed = False  # the reader has seen something
        self._called = False  # and a tool call among it
        self._proved = False
        self._refused = False
        self._narrowed = False
        self._knew = False
        self._reader: asyncio.Task[object] | None = None
        self._left = asyncio.Event()
        self._closed = False

    @property
    def skipped(self) -> list[Skipped]:
        """Who was not asked, and why."""
        resting = self._selection.resting if self._selection else ()
        return [*self._plan.skipped, *(Skipped(name, "resting") for name in resting)]

    def __aiter__(self) -> AsyncIterator[Delta]:
        return self

    async def __anext__(self) -> Delta:
        if self._closed:
            raise StopAsyncIteration
        self._reader = asyncio.current_task()
        over = True
        try:
            delta = await self._advance()
            over = type(delta) is Finish
            return delta
        finally:
            self._reader = None
            if over:
                self._closed = True
                try:
                    await self._leave()
                finally:
                    self._left.set()

    async def aclose(self) -> None:
        """Stop; closes the upstream connection."""
        self._closed = True
        reader = self._reader
        if reader is not None and reader is not asyncio.current_task():
            reader.cancel()
            await self._left.wait()
        await self._leave()

    async def _advance(self) -> Delta:
        """The next delta that the reader sees."""
        while True:
            call = self._call or await self._begun()
            try:
                delta = await call.next()
            except ProviderError as error:
                await self._failed(call, error)
                continue
            if type(delta) is Text:
                if not self._terms.replaces:
                    self._shown.append(delta.text)
            elif type(delta) is Restart:
                self._shown.clear()
            elif type(delta) is CallPart:
                self._called = True
            elif type(delta) is Finish:
                self._learn_success()
            if not self._proved and call.committed:
                self._committed = self._proved = True
                if self._choice and self._selection:
                    self._selection.proved(self._choice)
            return delta

    async def _begun(self) -> Call:
        """The next attempt, under way."""
        if self._selection is None:
            self._selection = await self._planned()
        if self._committed and not may_go_on(replaces=self._terms.replaces, shown=True, called=self._called):
            raise AnswerBroken(self.attempts)
        if self._committed and not self._terms.replaces and not self._narrowed:
            self._narrowed = True
            await self._narrow(self._selection)
        while not self._refused and (choice := await self._selection.next()) is not None:
            call = await self._open(choice)
            if call is not None:
                return call
        if self._committed and not self._terms.replaces:
            raise AnswerBroken(self.attempts)
        knowledge = self._parts.knowledge
        if self._plan.knowledge and knowledge is not None and not self._knew and not self._refused:
            self._knew = True
            attempt = Attempt(KNOWLEDGE, KNOWLEDGE, free=True)
            return self._run(attempt, knowledge, self._request, self._terms.deadline)
        raise self._failure()

    async def _planned(self) -> Selection:
        """Decide who may answer. Attempts begin, and are waited for, as long as the route allows."""
        parts, settings = self._parts, self._spec.settings
        await parts.cooldown.refresh()
        plan = self._plan = parts.plan(self._spec, self._request, self._terms)
        now = asyncio.get_running_loop().time()
        start = float(settings.get("deadline") or START_WITHIN)
        self._end = self._terms.deadline - (KNOWLEDGE_NEEDS if plan.knowledge else 0.0)
        until = min(now + start, self._end)
        patience = now + (KNOWLEDGE_PATIENCE if plan.knowledge else start)
        return Selection(parts.cooldown, parts.prober, plan, until, patience)

    async def _open(self, choice: Choice) -> Call | None:
        """Ask a candidate; None when it cannot be asked, which is a failed attempt."""
        candidate = choice.candidate
        attempt = Attempt(
            candidate.config.id,
            candidate.model,
            free=candidate.free,
            price=candidate.price,
            key_number=candidate.key_number,
        )
        self._choice = choice
        try:
            lent = self._lent = await self._parts.pool.lend(candidate)
        except ProviderError as error:
            self.attempts.append(attempt)
            attempt.outcome, attempt.error = str(error.error_class), error.message
            await self._failed(None, error)
            return None
        attempt.model = lent.name
        request = _fitted(self._request, candidate)
        if not self._committed or self._terms.replaces:
            return self._run(attempt, lent.model, request, self._end)
        shown = "".join(self._shown)
        return self._run(attempt, lent.model, continued(request, shown), self._end, Seam(shown))

    async def _narrow(self, selection: Selection) -> None:
        """From now on only who can go on with what was shown is asked."""
        for place, candidate in enumerate(self._plan.candidates):
            if not await self._parts.pool.goes_on(candidate):
                selection.bar({place})

    def _run(
        self,
        attempt: Attempt,
        model: ChatModel,
        request: ChatRequest,
        limit: float,
        seam: Seam | None = None,
    ) -> Call:
        self.attempts.append(attempt)
        replaces = self._committed and seam is None
        call = self._call = Call(attempt, request, limit, replaces=replaces, seam=seam)
        self._proved = False
        call.begin(model)
        return call

    async def _failed(self, call: Call | None, error: ProviderError) -> None:
        attempt = self.attempts[-1]
        logger.info("%s:%s failed: %s", attempt.provider_id, attempt.model, error)
        if self._choice and self._selection and not (call and call.out_of_time):
            attempt.cooled = self._selection.failed(self._choice, error)
            self._choice = None
        if error.error_class is ErrorClass.CONTENT:
            self._refused = self._spec.settings.get("content_fallback", True) is False
        await self._leave()

    def _learn_success(self) -> None:
        if self._choice and self._selection:
            self._selection.succeeded(self._choice)
            self._choice = None

    async def _leave(self) -> None:
        """End the attempt that runs, if one does; one without a verdict teaches nothing."""
        call, self._call = self._call, None
        choice, self._choice = self._choice, None
        lent, self._lent = self._lent, None
        try:
            if call is not None:
                await call.close()
        finally:
            if choice is not None and self._selection is not None:
                self._selection.abandoned(choice)
            if lent is not None:
                await self._parts.pool.give_back(lent)

    def _failure(self) -> AllCandidatesFailed:
        plan = self._plan
        return AllCandidatesFailed(
            self.attempts,
            self._selection.free_at() if self._selection else None,
            moderated(self.attempts),
            over_limit=plan.over_limit,
            too_long=plan.too_long,
            skipped=self.skipped,
        )


def _fitted(request: ChatRequest, candidate: Candidate) -> ChatRequest:
    """The request without earlier pictures, for a model that cannot see, and without tools that it may do
    without, unless it is known to have tools."""
    if request.tools_optional and candidate.facts.tools is not True:
        request = replace(request, tools=(), tools_optional=False)
    if candidate.facts.vision is not False or not any(turn.images for turn in request.turns):
        return request
    return replace(request, turns=tuple(replace(turn, images=()) for turn in request.turns))
