"""Trials after a rest, answers that go on where they broke, and leaving at every moment."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from core.routing.attempts import AnswerBroken
from core.routing.clock import Clock
from core.routing.continuation import Seam, continued, may_go_on
from core.routing.cooldown import Cooldown
from core.routing.route import Router, RouteStream
from core.routing.spec import RouteSpec
from providers.chat.openai_compatible import OpenAICompatibleModel
from providers.types import ChatRequest, ChatTurn, ProviderConfig, Restart, Text
from tests.fakes.llm import FAULTS, FakeLLM, Healthy, answer_text, fake_llm, rate_limit

REQUEST = ChatRequest((ChatTurn("user", "hello big world"),))
GOOD = answer_text("good", "hello big world")
OPTIONS: dict[str, Any] = {"first_token": 10, "gap": 10, "connect": 5}


class AheadClock(Clock):
    """A clock that can be set forward."""

    ahead = 0.0

    def now(self) -> float:
        return time.monotonic() + self.ahead

    def wall(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> AheadClock:
    """The clock."""
    return AheadClock()


@pytest.fixture
async def llm() -> AsyncIterator[FakeLLM]:
    """A fake vendor."""
    async with fake_llm() as fake:
        yield fake


@pytest.fixture
async def router(clock: AheadClock) -> AsyncIterator[Router]:
    """A router on that clock."""
    router = Router(cooldown=Cooldown(clock=clock, jitter=lambda: 0.02))
    yield router
    await router.close()


def spec(llm: FakeLLM, *candidates: str, other: FakeLLM | None = None, **options: Any) -> RouteSpec:
    """A route over two accounts, the second perhaps at another server."""
    limits = {**OPTIONS, **options}
    a = ProviderConfig("a", "openai-compatible", llm.url, ("sk-a",), limits)
    b = ProviderConfig("b", "openai-compatible", (other or llm).url, ("sk-b",), limits)
    return RouteSpec("r", candidates, {}, (a, b))


def opened(router: Router, one: RouteSpec, **more: Any) -> RouteStream:
    """A stream that must end in half a minute."""
    return router.open(one, REQUEST, time.monotonic() + 30, **more)


async def text_of(stream: RouteStream) -> str:
    """What the reader sees in the end."""
    text = ""
    async for delta in stream:
        text = "" if isinstance(delta, Restart) else text + (delta.text if isinstance(delta, Text) else "")
    return text


async def true(condition: Callable[[], object], seconds: float = 1.0) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_server_that_was_away_is_probed_and_no_reader_pays(
    router: Router, llm: FakeLLM, clock: AheadClock
) -> None:
    async with fake_llm() as near:
        one = spec(near, "a:near", "b:good", other=llm)
        await near.down()
        assert await text_of(opened(router, one)) == GOOD
        clock.ahead += 3
        for _ in range(5):  # still away: one probe, no attempt
            stream = opened(router, one)
            assert await text_of(stream) == GOOD
            assert [attempt.provider_id for attempt in stream.attempts] == ["b"]
            assert stream.skipped[0].reason == "resting"
        await true(lambda: router.cooldown.left([next(iter(router.cooldown._rests))]) > 0)
        (state, _) = await router.states(one)
        assert (state.state, state.failures) == ("cooling", 2)
        await near.up()
        clock.ahead += 5
        assert await text_of(opened(router, one)) == GOOD
        await true(lambda: not router.cooldown._rests)
        assert await text_of(opened(router, one)) == answer_text("near", "hello big world")


async def test_an_only_route_is_tried_by_the_reader(router: Router, llm: FakeLLM, clock: AheadClock) -> None:
    llm.script("good", FAULTS["overload_503"], FAULTS["overload_503"], Healthy())
    one = spec(llm, "a:good")
    assert await text_of(opened(router, one)) == GOOD
    assert not router._prober._running


async def test_probes_end_with_the_router(llm: FakeLLM, clock: AheadClock) -> None:
    router = Router(cooldown=Cooldown(clock=clock))
    one = spec(llm, "a:bad", "b:good")
    llm.script("bad", FAULTS["bad_key_401"])
    await text_of(opened(router, one))
    clock.ahead += 1000
    await text_of(opened(router, one))
    await router.close()
    assert not router._prober._running and llm.count("bad") == 1


async def test_fifty_at_once_try_a_rested_route_once(router: Router, llm: FakeLLM, clock: AheadClock) -> None:
    llm.script("bad", rate_limit(30))
    one = spec(llm, "a:bad", "b:good")
    await text_of(opened(router, one))
    clock.ahead += 40
    texts = await asyncio.gather(*(text_of(opened(router, one)) for _ in range(50)))
    assert texts == [GOOD] * 50
    assert llm.count("bad") == 2


@pytest.fixture
def prefill(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake's models go on with an answer that stands as the last turn."""
    monkeypatch.setattr(OpenAICompatibleModel, "prefill", True, raising=False)


@pytest.mark.usefixtures("prefill")
async def test_a_clients_answer_goes_on_where_it_broke(router: Router, llm: FakeLLM) -> None:
    cut = FAULTS["gap"]
    llm.script("bad", cut)
    llm.script("next", Healthy(" and so on.", chunks=2))
    stream = opened(router, spec(llm, "a:bad", "b:next", gap=0.3), replaces=False)
    deltas = [delta async for delta in stream]
    assert not [delta for delta in deltas if isinstance(delta, Restart)]
    begun = llm.requests[-1].body["messages"][-1]
    assert begun["role"] == "assistant"
    shown = "".join(delta.text for delta in deltas if isinstance(delta, Text))
    assert shown.rstrip() == begun["content"] + " and so on."
    assert [one.outcome for one in stream.attempts] == ["truncated", "ok"]


async def test_a_client_is_told_when_nobody_can_go_on(router: Router, llm: FakeLLM) -> None:
    llm.script("bad", FAULTS["gap"])
    began = time.monotonic()
    stream = opened(router, spec(llm, "a:bad", "b:good", gap=0.3), replaces=False)
    with pytest.raises(AnswerBroken) as broken:
        await text_of(stream)
    assert [one.outcome for one in broken.value.attempts] == ["truncated"]
    assert time.monotonic() - began < 2 and llm.count("good") == 0


def test_seams() -> None:
    shown = "The quick brown fox "
    for pieces, joined in (
        (["jumps", " over"], "jumps over"),
        ([" ", " jumps"], "jumps"),
        (["The quick ", "brown fox jumps"], "jumps"),
        (["The quickest"], "The quickest"),
        (["The"], "The"),
    ):
        seam = Seam(shown)
        assert "".join([*(seam.feed(piece) for piece in pieces), seam.end()]) == joined
    seam = Seam("Hello")
    assert seam.feed(" world") + seam.end() == " world"


def test_what_may_be_gone_on_with() -> None:
    assert may_go_on(replaces=True, shown=True, called=True)
    assert may_go_on(replaces=False, shown=True, called=False)
    assert not may_go_on(replaces=False, shown=True, called=True)
    begun = continued(ChatRequest((ChatTurn("user", "x"), ChatTurn("assistant", "One, "))), "two ")
    assert begun.turns[-1] == ChatTurn("assistant", "One, two")


async def _left(stream: RouteStream, llm: FakeLLM, ready: Callable[[], object]) -> None:
    reading = asyncio.create_task(text_of(stream))
    await true(ready, 3)
    began = time.monotonic()
    await stream.aclose()
    await asyncio.wait({reading}, timeout=1)
    assert reading.done()
    if llm.requests:
        await llm.wait_disconnect(1.0)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("fault", ["hang_headers", "hang", "gap"])
async def test_leaving_is_heard_within_a_second_and_no_failure(
    router: Router, llm: FakeLLM, fault: str, streamed: bool
) -> None:
    llm.script("slow", FAULTS[fault])
    stream = opened(router, spec(llm, "a:slow", stream=streamed))
    await _left(stream, llm, lambda: llm.requests)
    assert [one.outcome for one in stream.attempts] == ["cancelled"]
    assert not router.cooldown._rests


async def test_leaving_while_all_rest(router: Router, llm: FakeLLM) -> None:
    llm.script("bad", rate_limit(20))
    stream = opened(router, spec(llm, "a:bad"))
    reading = asyncio.create_task(text_of(stream))
    await true(lambda: stream.attempts and stream.attempts[0].outcome, 3)
    began = time.monotonic()
    await stream.aclose()
    await asyncio.wait({reading})
    assert time.monotonic() - began < 1 and len(stream.attempts) == 1


async def test_leaving_gives_the_trial_back(router: Router, llm: FakeLLM, clock: AheadClock) -> None:
    llm.script("bad", rate_limit(30), FAULTS["hang"])
    one = spec(llm, "a:bad", "b:good")
    await text_of(opened(router, one))
    clock.ahead += 40
    llm.forget()
    stream = opened(router, one)
    await _left(stream, llm, lambda: llm.requests)
    (rest,) = router.cooldown._rests.values()
    assert (rest.failures, rest.trial_until) == (1, 0)
