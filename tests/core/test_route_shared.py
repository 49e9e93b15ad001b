"""Routes of several processes over one database, and many answers at once."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from core.routing.clock import Clock
from core.routing.cooldown import Cooldown
from core.routing.route import AllCandidatesFailed, Router
from core.routing.spec import RouteSpec
from core.routing.state import RestStore
from providers.types import ChatRequest, ChatTurn, ProviderConfig, Restart, Text
from tests.fakes.llm import FAULTS, FakeLLM, Healthy, answer_text, fake_llm, rate_limit

REQUEST = ChatRequest((ChatTurn("user", "hello big world"),))
GOOD = answer_text("good", "hello big world")


class AheadClock(Clock):
    """Clocks that can be set forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> float:
        return time.monotonic() + self.ahead

    def wall(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> AheadClock:
    """The clock of all processes."""
    return AheadClock()


@pytest.fixture
async def llm() -> AsyncIterator[FakeLLM]:
    """A fake vendor."""
    async with fake_llm() as fake:
        yield fake


@pytest.fixture
async def routers(new_state: Callable[[], RestStore], clock: AheadClock) -> AsyncIterator[list[Router]]:
    """Two processes' routers, over both kinds of store."""
    routers = [Router(cooldown=Cooldown(new_state(), clock=clock, jitter=lambda: 0.02)) for _ in range(2)]
    for router in routers:
        await router.cooldown.refresh()
    yield routers
    for router in routers:
        await router.close()


async def known(router: Router) -> None:
    """What another process wrote is known within a second."""
    router.cooldown._read_at = float("-inf")
    async with asyncio.timeout(1.0):
        while not await router.cooldown.all():
            router.cooldown._read_at = float("-inf")
            await asyncio.sleep(0.01)


def instance(llm: FakeLLM, *candidates: str, **settings: object) -> RouteSpec:
    """An instance with two accounts at the fake."""
    options = {"first_token": 10, "gap": 10, "connect": 5}
    providers = tuple(
        ProviderConfig(name, "openai-compatible", llm.url, (f"sk-{name}",), options) for name in ("a", "b")
    )
    return RouteSpec("r", candidates, dict(settings), providers)


async def answered(router: Router, one: RouteSpec, seconds: float = 30.0) -> str:
    """The text that the reader sees in the end."""
    text = ""
    async for delta in router.open(one, REQUEST, time.monotonic() + seconds):
        if isinstance(delta, Restart):
            text = ""
        elif isinstance(delta, Text):
            text += delta.text
    return text


async def test_what_one_process_learnt_saves_the_other_a_call(routers: list[Router], llm: FakeLLM) -> None:
    llm.script("bad", rate_limit(60))
    one = instance(llm, "a:bad", "b:good")
    assert await answered(routers[0], one) == GOOD
    await routers[0].cooldown.flush()
    await known(routers[1])
    assert await answered(routers[1], one) == GOOD
    assert llm.count("bad") == 1


async def test_a_restart_forgets_nothing(
    routers: list[Router], new_state: Callable[[], RestStore], llm: FakeLLM
) -> None:
    llm.script("bad", FAULTS["bad_key_401"])
    one = instance(llm, "a:bad", "b:good")
    assert await answered(routers[0], one) == GOOD
    await routers[0].close()
    again = Router(cooldown=Cooldown(new_state()))
    assert await answered(again, one) == GOOD
    assert llm.count("bad") == 1
    await again.close()


async def test_after_a_rest_one_of_many_tries(routers: list[Router], llm: FakeLLM, clock: AheadClock) -> None:
    llm.script("bad", rate_limit(60), Healthy("back again", first=0.2))
    one = instance(llm, "a:bad", "b:good")
    assert await answered(routers[0], one) == GOOD
    await routers[0].cooldown.flush()
    await known(routers[1])
    clock.ahead = 70
    texts = await asyncio.gather(*(answered(routers[number % 2], one) for number in range(10)))
    assert sorted(texts) == sorted(["back again"] + [GOOD] * 9)
    assert llm.count("bad") == 2
    await routers[0].cooldown.flush()
    await routers[1].cooldown.flush()
    clock.ahead = 72
    assert await answered(routers[1], one) == "back again"


async def test_many_at_once_see_no_fault(routers: list[Router], llm: FakeLLM) -> None:
    llm.script("bad", FAULTS["cut"])
    one = instance(llm, "a:bad", "b:good")
    texts = await asyncio.gather(*(answered(routers[number % 2], one) for number in range(40)))
    assert texts == [GOOD] * 40


async def test_a_sole_route_recovers_by_itself(routers: list[Router], llm: FakeLLM) -> None:
    llm.script("good", FAULTS["overload_503"], FAULTS["overload_503"], Healthy())
    began = time.monotonic()
    assert await answered(routers[0], instance(llm, "a:good")) == GOOD
    assert 3.5 < time.monotonic() - began < 20  # the second failure in a row rests for 4 seconds


async def test_who_waits_too_long_is_told_when(routers: list[Router], llm: FakeLLM) -> None:
    llm.script("bad", rate_limit(300))
    with pytest.raises(AllCandidatesFailed) as failed:
        await answered(routers[0], instance(llm, "a:bad"))
    assert failed.value.retry_at is not None
    assert 280 < failed.value.retry_at - time.time() < 310
