"""Both wire formats over real HTTP: what is sent, what is read, and what never leaves."""

import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from providers.catalog import Quirk
from providers.chat.openai_compatible import api_address, body_of
from providers.errors import ProviderError
from providers.registry import open_provider
from providers.types import (
    ChatRequest,
    ChatTurn,
    Delta,
    Finish,
    ProviderConfig,
    Sampling,
    Text,
    Thinking,
    Tokens,
)
from tests.fakes.llm import FakeLLM, Healthy, answer_text, fake_llm

TURNS = (
    ChatTurn("system", "Be brief."),
    ChatTurn("user", "hello"),
    ChatTurn("assistant", "hi"),
    ChatTurn("user", "go"),
)
KINDS = ["openai-compatible", "anthropic"]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def llm() -> AsyncIterator[FakeLLM]:
    """A fake vendor."""
    async with fake_llm() as fake:
        yield fake


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    """A server that answers everything alike; yields its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def asked(config: ProviderConfig, request: ChatRequest, model: str = "m") -> list[Delta]:
    """All deltas of one answer."""
    provider = open_provider(config)
    try:
        return [delta async for delta in provider.model(model, "sk-secret-key").stream(request)]
    finally:
        await provider.close()


def _config(llm: FakeLLM, kind: str, **options: object) -> ProviderConfig:
    url = llm.root if kind == "anthropic" else llm.url
    return ProviderConfig("x", kind, url, (), {"first_token": 0.5, "gap": 0.5, **options})


def _text(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, Text))


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer(llm: FakeLLM, kind: str) -> None:
    llm.script("m", Healthy("Привет, мир 🙂", chunks=5, thinking="hm"))
    deltas = await asked(_config(llm, kind), ChatRequest(TURNS, Sampling(temperature=0.5, max_tokens=99)))
    assert _text(deltas) == "Привет, мир 🙂"
    assert Thinking("hm") in deltas
    assert isinstance(deltas[-2], Tokens) and deltas[-1] == Finish("stop")
    (seen,) = llm.requests
    assert seen.key == "sk-secret-key"
    assert seen.body["max_tokens"] == 99 and seen.body["temperature"] == 0.5
    roles = [message["role"] for message in seen.body["messages"]]
    if kind == "anthropic":
        assert seen.body["system"] == "Be brief." and roles == ["user", "assistant", "user"]
    else:
        assert roles == ["system", "user", "assistant", "user"]


@pytest.mark.parametrize("kind", KINDS)
async def test_the_models_button(llm: FakeLLM, kind: str) -> None:
    provider = open_provider(_config(llm, kind))
    assert await provider.models("sk-secret-key") == ["model-a", "model-b"]
    await llm.down()
    with pytest.raises(ProviderError, match="connect"):
        await provider.models("sk-secret-key")
    await provider.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_lone_surrogate_is_sent_as_something_else(llm: FakeLLM, kind: str) -> None:
    request = ChatRequest((ChatTurn("user", "a\ud83db"),))
    assert _text(await asked(_config(llm, kind), request)) == answer_text("m", "a?b")


async def test_a_key_that_cannot_be_sent_is_a_bad_credential(llm: FakeLLM) -> None:
    provider = open_provider(_config(llm, "openai-compatible"))
    with pytest.raises(ProviderError, match="credential"):
        await anext(aiter(provider.model("m", "sk-\nkey").stream(ChatRequest(TURNS))))
    await provider.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_key_never_follows_a_redirect(llm: FakeLLM, kind: str) -> None:
    async def away(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPTemporaryRedirect(f"{llm.url}/chat/completions")

    async with served(away) as url:
        with pytest.raises(ProviderError, match="connect"):
            await asked(ProviderConfig("x", kind, url), ChatRequest(TURNS))
    assert llm.requests == []


async def test_without_streaming(llm: FakeLLM) -> None:
    deltas = await asked(_config(llm, "openai-compatible", stream=False), ChatRequest(TURNS))
    assert deltas == [Text(answer_text("m", "go")), Tokens(3, 5), Finish("stop")]
    assert llm.requests[0].body["stream"] is False and "stream_options" not in llm.requests[0].body


async def test_own_headers_and_fields(llm: FakeLLM) -> None:
    options = {"headers": {"Authorization": "Bearer other"}, "body": {"seed": 7}}
    await asked(_config(llm, "openai-compatible", **options), ChatRequest(TURNS))
    assert llm.requests[0].key == "other" and llm.requests[0].body["seed"] == 7


def test_what_a_model_cannot_take_is_left_out() -> None:
    quirk = Quirk(
        no_system=True, refuses=("temperature",), max_tokens_as="max_completion_tokens", usage=False
    )
    body = body_of("m", ChatRequest(TURNS, Sampling(0.5, 0.9, 10)), quirk, {})
    assert body["messages"][0] == {"role": "user", "content": "Be brief.\n\nhello"}
    assert body["top_p"] == 0.9 and body["max_completion_tokens"] == 10
    assert not {"temperature", "max_tokens", "stream_options"} & set(body)


@pytest.mark.parametrize(
    ("pasted", "address"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434/v1"),
        (" https://api.example/v1/ ", "https://api.example/v1"),
        ("https://api.example/v1/chat/completions", "https://api.example/v1"),
        ("https://api.example/compatible-mode/v1", "https://api.example/compatible-mode/v1"),
    ],
)
def test_addresses_as_people_paste_them(pasted: str, address: str) -> None:
    assert api_address(pasted) == address


def _events(*events: str, kind: str = "text/event-stream") -> Handler:
    async def reply(_request: web.Request) -> web.StreamResponse:
        return web.Response(
            body="".join(f"data: {event}\n\n" for event in events).encode(), content_type=kind
        )

    return reply


def _delta(content: str, finish: str = "null") -> str:
    return f'{{"choices": [{{"delta": {{"content": {content}}}, "finish_reason": {finish}}}]}}'


GOOD = [Text("a"), Text("b"), Finish("stop")]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([_delta('"a"'), "{broken", _delta('"b"', '"stop"'), "[DONE]"], GOOD),
        ([_delta('"a"'), "[]", "5", '"x"', '{"choices": 3}', _delta('"b"'), "[DONE]"], GOOD),
        ([_delta('"a"'), _delta('"b"', '"stop"')], GOOD),
        ([_delta('"a"'), _delta('"b"', '"length"'), "[DONE]"], [Text("a"), Text("b"), Finish("length")]),
        ([_delta('[{"type": "text", "text": "a"}]'), _delta('"b"', '"stop"')], GOOD),
        (
            [_delta('[{"type": "thinking", "thinking": [{"text": "hm"}]}]'), _delta('"a"', '"stop"')],
            [Thinking("hm"), Text("a"), Finish("stop")],
        ),
        ([_delta('"\\ud83d"'), _delta('"\\ude42"', '"stop"')], [Text("🙂"), Finish("stop")]),
        (
            ['{"choices": [{"delta": {"reasoning": "hm"}}]}', _delta('"  a"', '"stop"'),
             '{"choices": [], "x_groq": {"usage": {"prompt_tokens": 0, "completion_tokens": 2}}}'],
            [Thinking("hm"), Text("a"), Tokens(0, 2), Finish("stop")],
        ),
    ],
)  # fmt: skip
async def test_streams_as_vendors_send_them(events: list[str], expected: list[Delta]) -> None:
    async with served(_events(*events)) as url:
        assert await asked(ProviderConfig("x", "openai-compatible", url), ChatRequest(TURNS)) == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([_delta('"a"')], "truncated"),
        ([_delta('" "', '"stop"')], "empty"),
        ([_delta('"<think>hm"', '"stop"')], "empty"),
        ([_delta('"a"'), '{"error": "boom"}'], "truncated"),
        ([_delta('"a"'), '{"choices": [{"error": {"code": 429, "message": "slow down"}}]}'], "rate_limit"),
        ([_delta('"a"', '"error"')], "truncated"),
        ([_delta('"a"', '"content_filter"')], "content"),
        (['{"choices": [{"delta": {"refusal": "I cannot"}}]}'], "content"),
        (["<html>"], "empty"),
    ],
)
async def test_streams_that_are_no_answer(events: list[str], expected: str) -> None:
    async with served(_events(*events)) as url:
        with pytest.raises(ProviderError) as failed:
            await asked(ProviderConfig("x", "openai-compatible", url), ChatRequest(TURNS))
    assert failed.value.error_class == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [("", "empty"), ("{", "truncated"), ("[]", "transient"), ('{"choices": []}', "empty"),
     ('{"error": {"message": "Overloaded", "type": "overloaded_error"}}', "overload")],
)  # fmt: skip
async def test_whole_bodies_that_are_no_answer(body: str, expected: str) -> None:
    async def reply(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=body, content_type="application/json")

    async with served(reply) as url:
        with pytest.raises(ProviderError) as failed:
            await asked(ProviderConfig("x", "openai-compatible", url), ChatRequest(TURNS))
    assert failed.value.error_class == expected


async def test_an_error_echoes_no_key() -> None:
    async def reply(request: web.Request) -> web.StreamResponse:
        return web.Response(status=401, text=f"bad header: {request.headers['Authorization']}")

    async with served(reply) as url:
        with pytest.raises(ProviderError) as failed:
            await asked(ProviderConfig("x", "openai-compatible", url), ChatRequest(TURNS))
    assert "secret" not in str(failed.value) and failed.value.error_class == "credential"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", ["[" * 100_000, "5", '{"data": 5}', '{"data": [5]}', "<html>"])
async def test_whatever_is_no_list_of_models(kind: str, body: str) -> None:
    async def reply(_request: web.Request) -> web.StreamResponse:
        return web.Response(text=body, content_type="application/json")

    async with served(reply) as url:
        provider = open_provider(ProviderConfig("x", kind, url))
        try:
            assert await provider.models("secret") == []
        except ProviderError as error:
            assert error.error_class == "truncated"
        finally:
            await provider.close()


@pytest.mark.parametrize("status", [200, 500])
async def test_a_body_that_came_packed_unasked_is_no_bomb(status: int) -> None:
    bomb = gzip.compress(bytes(64 << 20))

    async def reply(request: web.Request) -> web.StreamResponse:
        assert request.headers["Accept-Encoding"] == "identity"
        return web.Response(status=status, body=bomb, headers={"Content-Encoding": "gzip"})

    async with served(reply) as url:
        provider = open_provider(ProviderConfig("x", "anthropic", url))
        begun = time.process_time()
        with pytest.raises(ProviderError) as failed:
            await provider.models("secret")
        await provider.close()
    assert failed.value.error_class == ("truncated" if status == 200 else "transient")
    assert time.process_time() - begun < 0.3


@pytest.mark.parametrize("kind", KINDS)
async def test_an_endless_error_is_cut_off(kind: str) -> None:
    async def reply(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=500)
        await response.prepare(request)
        for _ in range(100):
            await response.write(b"x\0" * 50_000)
        return response

    async with served(reply) as url:
        with pytest.raises(ProviderError) as failed:
            await asked(ProviderConfig("x", kind, url), ChatRequest(TURNS))
    assert len(failed.value.message) <= 500 and "\0" not in failed.value.message
