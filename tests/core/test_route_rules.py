"""Who may answer: abilities, context, limits, privacy, keys in turn, auto; and what is told of it."""

from collections import Counter
from collections.abc import AsyncIterator
from time import monotonic, time
from typing import Any

import pytest

from core.routing.allowance import Allowance
from core.routing.cooldown import Cooldown
from core.routing.route import AllCandidatesFailed, Router, RouteStream, Skipped
from core.routing.spec import RouteSpec
from providers.types import ChatRequest, ChatTurn, Image, ProviderConfig, Text
from tests.fakes.llm import FAULTS, FakeLLM, fake_llm

QUICK = {"first_token": 10, "gap": 10, "connect": 5}
HELLO = ChatRequest((ChatTurn("user", "hello"),))
SEEING = ChatRequest((ChatTurn("user", "what is this?", images=(Image("data:image/png;base64,AA=="),)),))
GLANCE = ChatRequest((ChatTurn("user", "and now?", images=(Image("data:image/png;base64,AA==", "", True),)),))
TOOLED = ChatRequest(HELLO.turns, tools=({"type": "function", "function": {"name": "f"}},))
JSON = ChatRequest(HELLO.turns, output={"type": "json_object"})


@pytest.fixture
async def llm() -> AsyncIterator[FakeLLM]:
    """A fake vendor."""
    async with fake_llm() as fake:
        yield fake


@pytest.fixture
async def router() -> AsyncIterator[Router]:
    """A router with quick retries."""
    router = Router(cooldown=Cooldown(jitter=lambda: 0.02))
    yield router
    await router.close()


@pytest.fixture(autouse=True)
def _afar(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake is on this machine: only addresses with a slash at their end count as that."""
    monkeypatch.setattr("core.routing.facts.is_private", lambda url: url.endswith("/"))


def cloud(llm: FakeLLM, name: str, *models: dict[str, Any], **more: Any) -> ProviderConfig:
    """An account that is not one's own, as far as anybody knows."""
    return ProviderConfig(
        name, "openai-compatible", llm.url, (f"sk-{name}",), {**QUICK, "models": list(models), **more}
    )


def model(name: str, **facts: Any) -> dict[str, Any]:
    """An operator's entry."""
    return {"name": name, **facts}


async def answered(stream: RouteStream) -> str:
    """By whom."""
    text = "".join([delta.text async for delta in stream if isinstance(delta, Text)])
    assert text
    return f"{stream.attempts[-1].provider_id}:{stream.attempts[-1].model}"


@pytest.mark.parametrize(
    ("request_", "facts", "reason"),
    [
        (SEEING, {"vision": False}, "images"),
        (TOOLED, {"tools": False}, "tools"),
        (JSON, {"json": False}, "json"),
        (ChatRequest((ChatTurn("user", "word " * 1000),)), {"context": 500}, "context"),
        (SEEING, {"context": 500}, "context"),
    ],
)
async def test_who_cannot_is_not_asked(
    router: Router, llm: FakeLLM, request_: ChatRequest, facts: dict[str, Any], reason: str
) -> None:
    first, second = cloud(llm, "a", model("small", **facts)), cloud(llm, "b")
    spec = RouteSpec("r", ("a:small", "b:unknown"), {}, (first, second))
    stream = router.open(spec, request_, monotonic() + 20)
    assert await answered(stream) == "b:unknown"
    assert stream.skipped == [Skipped("a:small", reason)]
    assert llm.count("small") == 0
    alone = router.open(RouteSpec("r", ("a:small",), {}, (first,)), request_, monotonic() + 20)
    with pytest.raises(AllCandidatesFailed) as failed:
        await anext(alone)
    assert failed.value.skipped == [Skipped("a:small", reason)] and not failed.value.attempts
    assert (failed.value.too_long is not None) == (reason == "context")
    if failed.value.too_long:
        assert failed.value.too_long[0] > failed.value.too_long[1] == 500


async def test_an_earlier_picture_keeps_nobody_away(router: Router, llm: FakeLLM) -> None:
    spec = RouteSpec("r", ("a:blind",), {}, (cloud(llm, "a", model("blind", vision=False)),))
    assert await answered(router.open(spec, GLANCE, monotonic() + 20)) == "a:blind"
    assert "image" not in str(llm.requests[0].body)


async def test_limits_leave_free_and_local_models(router: Router, llm: FakeLLM) -> None:
    paid, free = cloud(llm, "a"), cloud(llm, "b", model("gift", free=True))
    own = ProviderConfig("own", "openai-compatible", llm.url + "/", (), QUICK)
    spec = RouteSpec("r", ("a:paid", "b:gift", "own:mine"), {}, (paid, free, own))
    for allowance, expected, reason in (
        (Allowance(free_only=True), "b:gift", "paid"),
        (Allowance(exhausted=frozenset({"a", "b"})), "own:mine", "limit"),
    ):
        stream = router.open(spec, HELLO, monotonic() + 20, allowance=allowance)
        assert await answered(stream) == expected
        assert stream.skipped[0] == Skipped("a:paid", reason)
    assert stream.attempts[-1].free and stream.attempts[-1].cost == 0
    stopped = router.open(spec, HELLO, monotonic() + 20, allowance=Allowance(stopped=True))
    with pytest.raises(AllCandidatesFailed) as failed:
        await anext(stopped)
    assert failed.value.over_limit and len(llm.requests) == 2


async def test_local_only_never_leaves_the_house(router: Router, llm: FakeLLM) -> None:
    own = ProviderConfig("own", "openai-compatible", llm.url + "/", (), QUICK)
    said = cloud(llm, "said", private=True)
    for one, expected in ((own, "own:m"), (said, "said:m")):
        spec = RouteSpec("r", ("a:m", f"{one.id}:m"), {"local_only": True}, (cloud(llm, "a"), one))
        stream = router.open(spec, HELLO, monotonic() + 20)
        assert await answered(stream) == expected
        assert stream.skipped == [Skipped("a:m", "local_only")]
    llm.script("m", FAULTS["quota_402"])
    spec = RouteSpec("r", ("own:m", "a:m"), {"local_only": True}, (cloud(llm, "a"), own))
    with pytest.raises(AllCandidatesFailed):
        await anext(router.open(spec, HELLO, monotonic() + 20))
    assert {seen.key for seen in llm.requests} <= {"", "sk-said"}


async def test_what_is_off_or_without_a_key_is_told(router: Router, llm: FakeLLM) -> None:
    keyless = ProviderConfig("k", "groq", "", (), QUICK)
    spec = RouteSpec("r", ("gone:x", "k:x", "b:good"), {}, (keyless, cloud(llm, "b")))
    stream = router.open(spec, HELLO, monotonic() + 20)
    assert await answered(stream) == "b:good"
    assert stream.skipped == [Skipped("gone:x", "disabled"), Skipped("k:x", "no_key")]


async def test_auto_takes_the_best_that_can(router: Router, llm: FakeLLM) -> None:
    several = [model(f"a{number}", quality=90 - 10 * number) for number in range(1, 5)]
    a = cloud(llm, "a", model("blind", quality=99, vision=False), *several)
    b = cloud(llm, "b", model("b1", quality=80), model("b2", quality=10))
    c = cloud(llm, "c")
    for name in ("a1", "b1", "a2"):
        llm.script(name, FAULTS["error_500"])
    llm.models = ["listed"]
    stream = router.open(RouteSpec(None, ("auto",), {}, (a, b, c)), SEEING, monotonic() + 20)
    assert await answered(stream) == "c:listed"
    assert [one.model for one in stream.attempts] == ["a1", "b1", "a2", "listed"]
    assert Skipped("a:blind", "images") in stream.skipped
    stream = router.open(RouteSpec(None, ("a:auto",), {}, (a,)), HELLO, monotonic() + 20)
    assert await answered(stream) == "a:blind"


async def test_auto_passes_over_what_rests(router: Router, llm: FakeLLM) -> None:
    models = [model(f"m{number}", quality=90 - number) for number in range(5)]
    spec = RouteSpec(None, ("a:auto",), {}, (cloud(llm, "a", *models),))
    for name in ("m0", "m1", "m2"):
        llm.script(name, FAULTS["rate_limit"])
    with pytest.raises(AllCandidatesFailed):
        await anext(router.open(spec, HELLO, monotonic() + 2))
    stream = router.open(spec, HELLO, monotonic() + 20)
    assert await answered(stream) == "a:m3"
    assert Skipped("a:m0", "resting") in stream.skipped


async def test_keys_are_used_evenly_or_one_to_a_conversation(router: Router, llm: FakeLLM) -> None:
    keys = tuple(f"sk-{number}" for number in range(4))
    config = ProviderConfig("a", "openai-compatible", llm.url, keys, QUICK)
    spec = RouteSpec("r", ("a:good",), {}, (config,))
    for _ in range(12):
        await answered(router.open(spec, HELLO, monotonic() + 20))
    assert Counter(seen.key for seen in llm.requests) == dict.fromkeys(keys, 3)
    llm.forget()
    for talk in range(12):
        for _ in range(2):
            await answered(router.open(spec, HELLO, monotonic() + 20, affinity=f"talk-{talk}"))
    used = [seen.key for seen in llm.requests]
    assert used[::2] == used[1::2] and len(set(used)) > 1


async def test_a_routes_patience_replaces_the_providers(router: Router, llm: FakeLLM) -> None:
    llm.script("slow", FAULTS["hang"])
    config = cloud(llm, "a")
    spec = RouteSpec("r", ("a:slow", "a:good"), {"first_token": 0.3}, (config,))
    began = monotonic()
    assert await answered(router.open(spec, HELLO, monotonic() + 20)) == "a:good"
    assert monotonic() - began < 3


async def test_a_vendors_fixed_rest(router: Router, llm: FakeLLM) -> None:
    llm.script("bad", FAULTS["error_500"])
    spec = RouteSpec("r", ("a:bad", "a:good"), {}, (cloud(llm, "a", cooldown=900),))
    await answered(router.open(spec, HELLO, monotonic() + 20))
    (state, _) = await router.states(spec)
    assert state.until and 880 < state.until - time() < 1000


async def test_states_tell_who_rests_until_when_and_why(router: Router, llm: FakeLLM) -> None:
    llm.script("bad", FAULTS["rate_limit"])
    providers = (cloud(llm, "a"), cloud(llm, "b", model("x")))
    spec = RouteSpec("r", ("a:bad", "b:good", "off:x"), {}, providers)
    await answered(router.open(spec, HELLO, monotonic() + 20))
    resting, well, off = await router.states(spec)
    assert (resting.line, resting.state, resting.error_class) == ("a:bad", "cooling", "rate_limit")
    assert resting.failures == 1 and resting.scope.startswith("key-model:a:")
    assert resting.until and 25 < resting.until - time() < 40
    assert (well.provider_id, well.model, well.key_number, well.state) == ("b", "good", 1, "healthy")
    assert (off.state, off.skipped) == ("off", "disabled")


async def test_an_attempt_knows_its_cost(router: Router, llm: FakeLLM) -> None:
    config = cloud(llm, "a", model("dear", price_in=2.0, price_out=10.0))
    for name, cost in (("dear", 5 * 2e-6 + len("dear answers: hello-0") * 10e-6), ("unknown", None)):
        stream = router.open(RouteSpec("r", (f"a:{name}",), {}, (config,)), HELLO, monotonic() + 20)
        await answered(stream)
        assert stream.attempts[0].cost == (cost and pytest.approx(cost))


async def test_vendors_of_media_alone_are_no_candidates(llm: FakeLLM, router: Router) -> None:
    own = {**QUICK, "models": [model("flux-2-pro")]}
    painter = ProviderConfig("painter", "bfl", llm.root, ("sk-painter",), own)
    both = (painter, cloud(llm, "talker", model("m")))
    for lines in (("auto",), ("painter:auto", "painter:flux-2-pro", "talker:m")):
        assert await answered(router.open(RouteSpec("r", lines, {}, both), HELLO, monotonic() + 20))
    assert llm.count("flux-2-pro") == 0
    alone = router.open(RouteSpec("r", ("painter:flux-2-pro",), {}, (painter,)), HELLO, monotonic() + 20)
    with pytest.raises(AllCandidatesFailed) as caught:
        await answered(alone)
    assert Skipped("painter:flux-2-pro", "disabled") in caught.value.skipped
