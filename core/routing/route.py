"""The router: the first candidate that answers, answers, and no error is seen while one can."""

from core.routing.allowance import UNLIMITED, Allowance
from core.routing.attempts import AllCandidatesFailed, AnswerBroken, Attempt, Skipped
from core.routing.cooldown import Cooldown
from core.routing.pool import ProviderPool
from core.routing.probes import Prober
from core.routing.single import Ask, Found, SingleCall
from core.routing.spec import RouteSpec
from core.routing.states import CandidateState, states_of
from core.routing.stream import Parts, RouteStream, Terms
from providers.types import ChatModel, ChatRequest

__all__ = ["AllCandidatesFailed", "AnswerBroken", "Attempt", "RouteStream", "Router", "Skipped"]
ANYBODY = " "  # an affinity: keys stand in the same order at every look


class Router:
    """Opens routes; one per process. Providers stay open between answers."""

    def __init__(self, *, knowledge: ChatModel | None = None, cooldown: Cooldown | None = None) -> None:
        self.cooldown = cooldown or Cooldown()
        self._pool = ProviderPool()
        self._prober = Prober(self.cooldown, self._pool)
        self._parts = Parts(knowledge, self.cooldown, self._pool, self._prober)

    def open(
        self,
        spec: RouteSpec,
        request: ChatRequest,
        deadline: float,
        *,
        allowance: Allowance = UNLIMITED,
        affinity: str = "",
        replaces: bool = True,
    ) -> RouteStream:
        """The answer of a route; `deadline` is on the monotonic clock. One conversation's `affinity` keeps
        it with one key of several. Without `replaces` the reader cannot take back what it saw: no Restart
        comes, but AnswerBroken where nobody can go on."""
        return RouteStream(self._parts, spec, request, Terms(deadline, allowance, affinity, replaces))

    def single(
        self, spec: RouteSpec, ask: Ask[Found], deadline: float, allowance: Allowance = UNLIMITED
    ) -> SingleCall[Found]:
        """A call beside chat over a route's candidates."""
        return SingleCall(self._parts, spec, ask, Terms(deadline, allowance))

    async def states(self, spec: RouteSpec) -> list[CandidateState]:
        """How each candidate of a route is now, in the route's order, for a question that asks for nothing
        special."""
        await self.cooldown.refresh()
        plan = self._parts.plan(spec, ChatRequest(()), Terms(0.0, affinity=ANYBODY))
        return states_of(plan, self.cooldown)

    async def close(self) -> None:
        """End probes, close all providers and write down what was learnt."""
        await self._prober.close()
        await self.cooldown.close()
        await self._pool.close()
