"""Routes over real HTTP: every fault in every place, and no error while one candidate is good."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest

from core.routing.cooldown import Cooldown
from core.routing.route import AllCandidatesFailed, Router, RouteStream
from core.routing.spec import RouteSpec
from providers.errors import ErrorClass, ProviderError
from providers.registry import preload
from providers.types import (
    ChatRequest,
    ChatTurn,
    Delta,
    Finish,
    ProviderConfig,
    Restart,
    Text,
    Thinking,
    Tokens,
)
from tests.fakes.llm import FAULTS, FakeLLM, Fault, Healthy, answer_text, fake_llm, rate_limit

PATIENT = {"first_token": 10, "gap": 10, "connect": 5}  # so that a busy machine fails no test
QUICK = {"first_token": 0.3, "gap": 0.3, "connect": 5}  # for vendors that hang
HANGS = ("hang", "hang_headers", "gap")
REQUEST = ChatRequest((ChatTurn("system", "Be brief."), ChatTurn("user", "hello big world")))


class Knowing:
    """A knowledge answerer that knows, or does not."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    async def stream(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Answer or say that there is none."""
        if not self.text:
            raise ProviderError(ErrorClass.EMPTY, "below the threshold")
        yield Text(self.text)
        yield Finish("stop")


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    """What the fork server imports before it forks; else the first answer would take seconds."""
    preload(["anthropic", "openai-compatible"])


@pytest.fixture
async def llm() -> AsyncIterator[FakeLLM]:
    """A fake vendor."""
    async with fake_llm() as fake:
        yield fake


@pytest.fixture
async def router() -> AsyncIterator[Router]:
    """A router whose retries come soon."""
    router = Router(cooldown=Cooldown(jitter=lambda: 0.02))
    yield router
    await router.close()


def instance(
    llm: FakeLLM,
    *candidates: str,
    keys: tuple[str, ...] = ("sk-first",),
    quick: bool = False,
    **settings: object,
) -> RouteSpec:
    """An instance with providers a, b (one server, two accounts), dead (nobody listens) and claude."""
    limits = QUICK if quick else PATIENT
    providers = (
        ProviderConfig("a", "openai-compatible", llm.url, keys, limits),
        ProviderConfig("b", "openai-compatible", llm.url, ("sk-other",), PATIENT),
        ProviderConfig("dead", "openai-compatible", "http://127.0.0.1:9/v1", (), PATIENT),
        ProviderConfig("claude", "anthropic", llm.root, ("sk-ant",), limits),
    )
    return RouteSpec("r", candidates, dict(settings), providers)


def opened(router: Router, one: RouteSpec, seconds: float = 30.0) -> RouteStream:
    """A stream that must end within some seconds."""
    return router.open(one, REQUEST, time.monotonic() + seconds)


def shown(deltas: list[Delta]) -> str:
    """What the reader sees in the end."""
    text = ""
    for delta in deltas:
        if isinstance(delta, Restart):
            text = ""
        elif isinstance(delta, Text):
            text += delta.text
    return text


GOOD = answer_text("good", "hello big world")


async def test_a_healthy_answer(router: Router, llm: FakeLLM) -> None:
    stream = opened(router, instance(llm, "a:good"))
    deltas = [delta async for delta in stream]
    assert shown(deltas) == GOOD
    assert deltas[-1] == Finish("stop")
    assert Tokens(15, len(GOOD)) in deltas
    (attempt,) = stream.attempts
    assert (attempt.provider_id, attempt.model, attempt.outcome) == ("a", "good", "ok")
    assert (attempt.input_tokens, attempt.output_tokens, attempt.estimated) == (15, len(GOOD), False)
    assert attempt.first_token_ms is not None and attempt.total_ms >= attempt.first_token_ms
    assert llm.requests[0].key == "sk-first"
    assert llm.requests[0].body["stream_options"] == {"include_usage": True}


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("provider", ["a", "claude"])
async def test_a_fault_first_is_never_seen(router: Router, llm: FakeLLM, name: str, provider: str) -> None:
    fault = FAULTS[name]
    llm.script("bad", fault)
    stream = opened(router, instance(llm, f"{provider}:bad", "b:good", quick=name in HANGS))
    deltas = [delta async for delta in stream]
    assert shown(deltas) == GOOD
    assert deltas[-1] == Finish("stop")
    assert fault.after or Restart() not in deltas
    first, second = stream.attempts
    assert (first.outcome, second.outcome) == (fault.expected, "ok")
    assert llm.count("bad") == 1
    assert second.first_token_ms is not None
    assert "sk-" not in first.error


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_last_is_told_with_every_cause(router: Router, llm: FakeLLM, name: str) -> None:
    fault = FAULTS[name]
    llm.script("bad", fault)
    stream = opened(router, instance(llm, "dead:x", "a:bad", quick=name in HANGS, deadline=1.5), 4.0)
    with pytest.raises(AllCandidatesFailed) as failed:
        [delta async for delta in stream]
    outcomes = [attempt.outcome for attempt in failed.value.attempts]
    assert outcomes[:2] == ["connect", fault.expected]
    assert failed.value.moderated == (fault.expected == "content")
    lasting = fault.expected in ("quota", "credential", "model_gone", "context", "content", "caller")
    asked_to_wait = fault.expected == "rate_limit"
    assert llm.count("bad") == (1 if lasting or asked_to_wait else 2)


async def test_nobody_listens_then_a_good_one(router: Router, llm: FakeLLM) -> None:
    stream = opened(router, instance(llm, "dead:x", "a:good"))
    assert shown([delta async for delta in stream]) == GOOD
    assert [one.outcome for one in stream.attempts] == ["connect", "ok"]
    assert stream.attempts[0].cooled.startswith("endpoint:dead:")
    stream = opened(router, instance(llm, "dead:x", "a:good"))
    assert shown([delta async for delta in stream]) == GOOD
    assert len(stream.attempts) == 1  # one wasted call a rest


async def test_a_second_key_takes_over_and_the_first_rests(router: Router, llm: FakeLLM) -> None:
    llm.script("good", rate_limit(40), Healthy())
    one = instance(llm, "a:good", keys=("sk-1", "sk-2"))
    for _ in range(2):
        assert shown([delta async for delta in opened(router, one)]) == GOOD
    assert [seen.key for seen in llm.requests] == ["sk-1", "sk-2", "sk-2"]


async def test_never_waits_while_another_is_eligible(router: Router, llm: FakeLLM) -> None:
    llm.script("bad", rate_limit(30))
    began = time.monotonic()
    stream = opened(router, instance(llm, "a:bad", "b:good"))
    assert shown([delta async for delta in stream]) == GOOD
    assert time.monotonic() - began < 15  # not the 30 seconds that the vendor asked for


async def test_waits_for_the_earliest_when_all_rest(router: Router, llm: FakeLLM) -> None:
    llm.script("bad", FAULTS["quota_402"])
    llm.script("soon", rate_limit(0.4), Healthy())
    one = instance(llm, "a:bad", "b:soon")
    stream = opened(router, one)
    began = time.monotonic()
    assert shown([delta async for delta in stream]) == answer_text("soon", "hello big world")
    assert 0.3 < time.monotonic() - began < 10
    assert [attempt.outcome for attempt in stream.attempts] == ["quota", "rate_limit", "ok"]


async def test_the_last_resort_is_the_least_recently_failed(router: Router, llm: FakeLLM) -> None:
    llm.script("x", FAULTS["quota_402"], Healthy("back"))
    llm.script("y", FAULTS["quota_402"])
    one = instance(llm, "a:x", "b:y")
    with pytest.raises(AllCandidatesFailed) as failed:
        [delta async for delta in opened(router, one)]
    assert failed.value.retry_at is not None and 800 < failed.value.retry_at - time.time() < 1000
    assert shown([delta async for delta in opened(router, one)]) == "back"


async def test_a_sole_route_that_fails_once_rests_not(router: Router, llm: FakeLLM) -> None:
    llm.script("good", rate_limit(0), Healthy())
    one = instance(llm, "a:good")
    stream = opened(router, one)
    assert shown([delta async for delta in stream]) == GOOD
    assert [attempt.outcome for attempt in stream.attempts] == ["rate_limit", "ok"]
    assert stream.attempts[0].cooled == ""


async def test_cancelling_before_the_first_token_closes_the_upstream(router: Router, llm: FakeLLM) -> None:
    llm.script("slow", FAULTS["hang"])
    for provider in ("a", "claude"):
        one = instance(llm, f"{provider}:slow")
        stream = opened(router, one)
        consuming = asyncio.create_task(anext(stream))
        await _until(lambda: bool(llm.requests))
        consuming.cancel()
        await asyncio.wait({consuming}, timeout=1)
        await stream.aclose()
        await llm.wait_disconnect(1.0)
        assert [attempt.outcome for attempt in stream.attempts] == ["cancelled"]
        assert stream.attempts[0].estimated
        llm.forget()
        assert not await router.cooldown.all()


async def test_closing_from_another_task_in_the_middle(router: Router, llm: FakeLLM) -> None:
    llm.script("slow", Healthy("one two three four", chunks=4, delay=0.2))
    stream = opened(router, instance(llm, "a:slow"))
    assert isinstance(await anext(stream), Text)
    reading = asyncio.create_task(anext(stream))
    await asyncio.sleep(0)
    await stream.aclose()
    await asyncio.wait({reading})
    assert reading.cancelled()
    await llm.wait_disconnect(1.0)
    assert stream.attempts[0].outcome == "cancelled"
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_leaving_the_loop_closes_the_upstream(router: Router, llm: FakeLLM) -> None:
    llm.script("slow", Healthy("one two three four", chunks=4, delay=0.2))
    async with aclosing(opened(router, instance(llm, "a:slow"))) as stream:
        async for _ in stream:
            break
    await llm.wait_disconnect(1.0)


async def test_knowledge_comes_last_and_is_named(llm: FakeLLM) -> None:
    router = Router(knowledge=Knowing("From the book."))
    llm.script("bad", FAULTS["quota_402"])
    stream = opened(router, instance(llm, "knowledge", "a:bad"))
    assert shown([delta async for delta in stream]) == "From the book."
    assert [attempt.provider_id for attempt in stream.attempts] == ["a", "knowledge"]
    stream = opened(router, instance(llm, "a:good"))
    assert shown([delta async for delta in stream]) == GOOD
    await router.close()


async def test_a_dead_vendor_does_not_keep_knowledge_waiting(llm: FakeLLM) -> None:
    router = Router(knowledge=Knowing("From the book."))
    llm.script("bad", rate_limit(30))
    began = time.monotonic()
    for _ in range(2):
        stream = opened(router, instance(llm, "a:bad", "knowledge"), 60)
        assert shown([delta async for delta in stream]) == "From the book."
    assert time.monotonic() - began < 15  # not the 30 seconds that the vendor asked for
    await router.close()


async def test_knowledge_that_does_not_know(llm: FakeLLM) -> None:
    router = Router(knowledge=Knowing())
    with pytest.raises(AllCandidatesFailed) as failed:
        [delta async for delta in opened(router, instance(llm, "knowledge"))]
    assert [(one.provider_id, one.outcome) for one in failed.value.attempts] == [("knowledge", "empty")]
    await router.close()


async def test_thinking_is_held_and_never_mixed_in(router: Router, llm: FakeLLM) -> None:
    llm.script("muse", Healthy("<think>let me see</think>\n\nFour.", chunks=30))
    llm.script("field", Healthy("Five.", chunks=1, thinking="let me see"))
    for model, answer in (("muse", "Four."), ("field", "Five.")):
        deltas = [delta async for delta in opened(router, instance(llm, f"a:{model}"))]
        assert shown(deltas) == answer
        thoughts = "".join(delta.text for delta in deltas if isinstance(delta, Thinking))
        assert thoughts.strip() == "let me see"


async def test_tokens_are_guessed_when_the_vendor_counts_none(router: Router, llm: FakeLLM) -> None:
    llm.script("quiet", Healthy("x" * 40, usage=False))
    stream = opened(router, instance(llm, "a:quiet"))
    [delta async for delta in stream]
    (attempt,) = stream.attempts
    assert (attempt.input_tokens, attempt.output_tokens, attempt.estimated) == (6, 10, True)


async def test_content_does_not_fall_back_when_forbidden(router: Router, llm: FakeLLM) -> None:
    llm.script("bad", FAULTS["content_400"])
    stream = opened(router, instance(llm, "a:bad", "b:good", content_fallback=False))
    with pytest.raises(AllCandidatesFailed) as failed:
        [delta async for delta in stream]
    assert failed.value.moderated
    assert llm.count("good") == 0


async def test_keep_alive_comments_prolong_the_first_token(router: Router, llm: FakeLLM) -> None:
    llm.script("good", Healthy(comments=4, delay=0.1, chunks=1))
    assert (
        shown([delta async for delta in opened(router, instance(llm, "a:good", quick=True, deadline=2))])
        == GOOD
    )


async def test_the_deadline_ends_a_stream_that_goes_on(router: Router, llm: FakeLLM) -> None:
    llm.script("slow", Healthy("word " * 100, chunks=100, delay=0.05))
    began = time.monotonic()
    with pytest.raises(AllCandidatesFailed):
        [delta async for delta in opened(router, instance(llm, "a:slow"), 0.5)]
    assert time.monotonic() - began < 4  # the whole answer takes 5 seconds
    await llm.wait_disconnect(1.0)


async def test_a_changed_provider_is_opened_anew_and_the_old_one_finishes(
    router: Router, llm: FakeLLM
) -> None:
    llm.script("slow", Healthy("one two three four", chunks=4, delay=0.05))
    stream = opened(router, instance(llm, "a:slow"))
    first = await anext(stream)
    async with fake_llm() as other:
        assert shown([delta async for delta in opened(router, instance(other, "a:good"))]) == GOOD
        assert other.count("good") == 1
        assert shown([first] + [delta async for delta in stream]) == "one two three four"


async def test_auto_asks_a_server_without_catalogue_models(router: Router, llm: FakeLLM) -> None:
    llm.models = ["text-embed", "good"]
    stream = opened(router, instance(llm, "a:auto"))
    assert shown([delta async for delta in stream]) == GOOD
    assert stream.attempts[0].model == "good"


async def test_candidates_that_name_nothing_are_skipped(router: Router, llm: FakeLLM) -> None:
    assert shown([delta async for delta in opened(router, instance(llm, "gone:x", "a:good"))]) == GOOD
    with pytest.raises(AllCandidatesFailed):
        [delta async for delta in opened(router, instance(llm, "gone:x"))]


async def test_a_restarted_vendor_meets_a_stale_connection(router: Router, llm: FakeLLM) -> None:
    one = instance(llm, "a:good")
    assert shown([delta async for delta in opened(router, one)]) == GOOD
    await llm.down()
    await llm.up()
    stream = opened(router, one)
    assert shown([delta async for delta in stream]) == GOOD
    assert len(stream.attempts) == 1


async def test_a_custom_fault_after_text_restarts(router: Router, llm: FakeLLM) -> None:
    llm.script("bad", Fault("truncated", misbehaviour="cut", after=3))
    deltas = [delta async for delta in opened(router, instance(llm, "a:bad", "b:good"))]
    restart = deltas.index(Restart())
    assert all(isinstance(delta, Text) for delta in deltas[:restart])
    assert shown(deltas) == GOOD


async def _until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not met():
            await asyncio.sleep(0.01)
