"""Bodies that nobody should send: never a 500, never a traceback, never a secret."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from admin.gateway.asked import read_chat
from admin.gateway.errors import ApiError
from admin.gateway.http import read_json
from tests.fakes.llm import FAULTS
from tests.gateway.conftest import HELLO, Site

DEEP = b'{"model": "main", "messages": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"
BROKEN: list[tuple[bytes, str]] = [
    (b"", "invalid_json"),
    (b"null", "invalid_json"),
    (b"[]", "invalid_json"),
    (b"{not json", "invalid_json"),
    (b"\xff\xfe{}", "invalid_json"),
    (DEEP, "invalid_json"),
    (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, "invalid_json"),
    (b'{"model": NaN}', "invalid_json"),
    (b'{"n": ' + b"9" * 5000 + b"}", "invalid_json"),
    (b"{}", "missing_required_parameter"),
    (b'{"model": null}', "missing_required_parameter"),
    (b'{"model": "main"}', "missing_required_parameter"),
    (b'{"model": 1}', "invalid_type"),
    (b'\xef\xbb\xbf{"model": 1}', "invalid_type"),
]


@pytest.mark.parametrize(("body", "code"), BROKEN, ids=range(len(BROKEN)))
async def test_broken_bodies(site: Site, body: bytes, code: str) -> None:
    answer = await site.post(body)
    assert (answer.status, answer.error["code"]) == (400, code)


async def test_json_that_breaks_says_where(site: Site) -> None:
    answer = await site.post(b'{"model": "main",\n "messages": [}')
    assert "line 2, column 15" in answer.error["message"]


PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
DATA = "data:image/png;base64," + base64.b64encode(PIXEL).decode()


def picture(url: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def tool(**function: Any) -> dict[str, Any]:
    return {"tools": [{"type": "function", "function": function}]}


FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": "hi"}, "messages"),
    ({"messages": [None]}, "messages[0]"),
    ({"messages": [{}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    ({"messages": [{"role": "king", "content": "x"}]}, "messages[0].role"),
    ({"messages": [*HELLO, {"role": "tool", "content": "x"}]}, "messages[1].tool_call_id"),
    ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages[0].tool_calls[0].function"),
    ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
    ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages[0].content[0].type"),
    (picture(None), "messages[0].content[0].image_url.url"),
    (picture("http://a.example/x.png"), "messages[0].content[0].image_url.url"),
    (picture("file:///etc/passwd"), "messages[0].content[0].image_url.url"),
    (picture("https://a.example/\nx"), "messages[0].content[0].image_url.url"),
    (picture("data:text/html;base64,PGI+"), "messages[0].content[0].image_url.url"),
    (picture("data:image/png;base64,###"), "messages[0].content[0].image_url.url"),
    (picture("data:image/png;base64," + "A" * 400), "messages[0].content[0].image_url.url"),
    (picture("data:image/png,abc"), "messages[0].content[0].image_url.url"),
    ({"stream": "yes"}, "stream"),
    ({"stream_options": 1}, "stream_options"),
    ({"n": 0}, "n"),
    ({"n": 9}, "n"),
    ({"n": True}, "n"),
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": 1e999}, "temperature"),
    ({"temperature": -1}, "temperature"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"top_p": 2}, "top_p"),
    ({"seed": 10**30}, "seed"),
    ({"stop": [1]}, "stop[0]"),
    ({"stop": ["a"] * 99}, "stop"),
    ({"tools": {}}, "tools"),
    ({"tools": [1]}, "tools[0]"),
    (tool(), "tools[0].function.name"),
    (tool(name="f", parameters=deep(200)), "tools[0]"),
    ({"tool_choice": "must"}, "tool_choice"),
    ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
    ({"response_format": "json"}, "response_format"),
    ({"response_format": {"type": "xml"}}, "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"logit_bias": []}, "logit_bias"),
    ({"logit_bias": deep(300)}, "logit_bias"),
    ({"logprobs": True}, "logprobs"),
    ({"modalities": ["text", "audio"]}, "modalities"),
    ({"modalities": 3}, "modalities"),
]


@pytest.mark.parametrize(("more", "param"), FIELDS, ids=[str(more)[:40] for more, _ in FIELDS])
async def test_fields_are_named(site: Site, more: dict[str, Any], param: str) -> None:
    body = {"model": "main", "messages": HELLO, **more}
    answer = await site.post(json.dumps(body).replace("Infinity", "1e999").encode())
    assert (answer.status, answer.error["param"], answer.error["type"]) == (
        400,
        param,
        "invalid_request_error",
    )
    assert site.vendor.requests == []


async def test_unknown_models_are_not_repeated_at_length(site: Site) -> None:
    for model in ("x" * 100_000, "one:" + "x" * 5000, "one:\x00", "one:\ud800", "\r\nset-cookie: a", ""):
        answer = await site.post(json.dumps({"model": model, "messages": HELLO}).encode())
        assert (answer.status, answer.error["code"]) == (404, "model_not_found")
        assert len(answer.body) < 1000


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_of_50_mb(site: Site, declared: bool) -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(800):
            sent += 1
            yield b"x" * 65_536

    headers = {**site.headers(), **({"content-length": str(800 * 65_536)} if declared else {})}
    async with site.client.post(f"{site.base}/chat/completions", data=pieces(), headers=headers) as answer:
        body = json.loads(await answer.read())
    assert (answer.status, body["error"]["code"]) == (413, "request_too_large")


async def test_a_body_that_comes_too_slowly(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("admin.gateway.http.BODY_WITHIN", 0.1)

    async def pieces() -> AsyncIterator[bytes]:
        yield b'{"model":'
        await asyncio.sleep(1)

    async with site.client.post(
        f"{site.base}/chat/completions", data=pieces(), headers=site.headers()
    ) as answer:
        assert answer.status == 408


async def test_addresses_and_methods(site: Site) -> None:
    for method, path, status in (
        ("GET", "", 404),
        ("GET", "/", 404),
        ("POST", "/completions", 404),
        ("GET", "/chat/completions", 405),
        ("DELETE", "/models", 405),
        ("OPTIONS", "/models", 405),
        ("GET", "/models/%00", 404),
        ("GET", "/../v1", 404),
        ("PATCH", "/chat/completions/x", 404),
    ):
        async with site.client.request(method, site.base + path, headers=site.headers()) as answer:
            assert answer.status == status, (method, path)
            if answer.url.path.startswith("/v1"):
                assert set((await answer.json())["error"]) == {"message", "type", "param", "code"}


IGNORED: dict[str, Any] = {
    "base_url": "http://evil.example/v1",
    "api_base": "http://evil.example/v1",
    "api_key": "sk-evil",
    "extra_headers": {"Authorization": "Bearer sk-evil"},
    "headers": {"Host": "evil.example"},
    "extra_body": {"model": "evil"},
    "default_headers": {},
    "proxies": ["http://evil.example"],
    "user": "someone",
    "store": True,
    "metadata": {"a": "b"},
    "unknown_parameter": [1],
    "fallbacks": ["evil"],
}


async def test_where_a_request_goes_is_not_the_clients_to_say(site: Site) -> None:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "f", "arguments": '{"base_url":"http://evil"}'},
    }
    history = [
        *HELLO,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "http://evil"},
    ]
    for messages in (HELLO, history):
        answer = await site.ask(**{**IGNORED, "messages": messages})
        assert answer.status == 200
        seen = site.vendor.requests[-1]
        assert seen.key == "sk-secret-one-0123456789" and seen.model == "model-a"
        assert not set(IGNORED) & set(seen.body)


async def test_no_secret_and_no_vendors_words_in_errors(site: Site) -> None:
    for fault in ("bad_key_401", "error_html", "caller", "quota_403", "model_gone"):
        site.vendor.script("model-a", FAULTS[fault])
        for stream in (False, True):
            answer = await site.ask(stream=stream)
            assert answer.status in (400, 503)
            text = answer.body.decode()
            assert (
                "sk-" not in text and "Traceback" not in text and "Gateway</h1>" not in text and answer.error
            )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAMES = [
    "model",
    "messages",
    "stream",
    "n",
    "stop",
    "seed",
    "tools",
    "tool_choice",
    "response_format",
    "temperature",
    "stream_options",
    "logit_bias",
    "max_tokens",
    "modalities",
    "reasoning",
    "thinking",
    "min_p",
    "top_k",
]
PARTS = st.fixed_dictionaries(
    {}, optional={"type": st.sampled_from(["text", "image_url", "x"]) | JSON, "text": JSON, "image_url": JSON}
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "assistant", "tool", "system"]) | JSON,
        "content": st.text(max_size=10) | st.lists(PARTS | JSON, max_size=3) | JSON,
        "tool_calls": st.lists(JSON, max_size=2) | JSON,
        "tool_call_id": JSON,
        "name": JSON,
    },
)
BODY = st.fixed_dictionaries(
    {"model": st.just("main") | JSON, "messages": st.lists(MESSAGE, max_size=3) | JSON},
    optional={name: JSON for name in NAMES[2:]},
)


@given(BODY | JSON)
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_json_breaks_the_reading(body: Any) -> None:
    """Whatever is not understood is an ApiError; whatever is understood can be written down again."""
    try:
        asked = read_chat(read_json(json.dumps(body).encode()))
    except ApiError as error:
        assert 400 <= error.status < 500 and json.loads(error.encoded())["error"]["message"]
        return
    json.dumps([asked.request.tools, asked.request.extra, asked.request.output, asked.request.tool_choice])


async def test_no_mix_of_values_breaks_the_gateway(site: Site) -> None:
    """The same over HTTP, a few hundred: statuses are those of mistakes, never 500."""
    bodies: list[Any] = []

    @given(BODY)
    @settings(max_examples=80, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    def collect(body: Any) -> None:
        bodies.append(body)

    collect()
    for body in bodies:
        answer = await site.post(json.dumps(body).encode())
        assert answer.status in (200, 400, 404, 503), (body, answer.body)
