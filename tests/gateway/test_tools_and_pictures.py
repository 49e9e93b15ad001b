"""Tools, pictures and JSON pass through to the vendor, and calls come back."""

import base64
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest
from aiohttp import web

from db import providers, settings
from tests.gateway.conftest import HELLO, Answer, Site

TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
ARGUMENTS = ('{"ci', 'ty": "Па', 'риж"}')


@dataclass
class Vendor:
    """A vendor that calls two tools at once, in pieces."""

    bodies: list[dict[str, Any]] = field(default_factory=list)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await self._delta(response, {"role": "assistant", "content": None})
        for index, call_id in enumerate(("call_a", "call_b")):
            begin = {
                "index": index,
                "id": call_id,
                "type": "function",
                "function": {"name": "weather", "arguments": ""},
            }
            await self._delta(response, {"tool_calls": [begin]})
            for piece in ARGUMENTS:
                await self._delta(
                    response, {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
                )
        await self._delta(response, {}, "tool_calls")
        usage = {"prompt_tokens": 20, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 16}}
        await response.write(b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n")
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _delta(
        self, response: web.StreamResponse, delta: dict[str, Any], finish: str | None = None
    ) -> None:
        event = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        await response.write(b"data: " + json.dumps(event).encode() + b"\n\n")


@pytest.fixture
async def caller(site: Site) -> AsyncIterator[Vendor]:
    """A provider "tooled" and a route of the same name."""
    vendor = Vendor()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", vendor.chat)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    async with site.services.database.transaction() as conn:
        await providers.save_provider(
            conn, "tooled", kind="openai-compatible", name="tooled", base_url=url, config={}, enabled=True
        )
        await settings.bump_config(conn)
    await site.set_route("tooled", ["tooled:m"])
    yield vendor
    await runner.cleanup()


@pytest.fixture
async def client(site: Site) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=site.base, api_key=site.key, max_retries=0) as client:
        yield client


async def test_tool_calls(client: openai.AsyncOpenAI, caller: Vendor) -> None:
    answer = await client.chat.completions.create(
        model="tooled", messages=HELLO, tools=[TOOL], tool_choice="required", parallel_tool_calls=True
    )
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.content is None
    assert choice.message.tool_calls is not None
    assert [
        (one.id, one.function.name, json.loads(one.function.arguments)) for one in choice.message.tool_calls
    ] == [
        ("call_a", "weather", {"city": "Париж"}),
        ("call_b", "weather", {"city": "Париж"}),
    ]
    assert answer.usage is not None and answer.usage.prompt_tokens_details.cached_tokens == 16
    sent = caller.bodies[-1]
    assert (sent["tools"], sent["tool_choice"], sent["parallel_tool_calls"]) == ([TOOL], "required", True)


async def test_streamed_tool_calls(client: openai.AsyncOpenAI, caller: Vendor) -> None:
    async with client.chat.completions.stream(model="tooled", messages=HELLO, tools=[TOOL]) as stream:
        async for _ in stream:
            pass
        final = await stream.get_final_completion()
    calls = final.choices[0].message.tool_calls
    assert final.choices[0].finish_reason == "tool_calls" and calls is not None
    assert [(one.id, json.loads(one.function.arguments)) for one in calls] == [
        ("call_a", {"city": "Париж"}),
        ("call_b", {"city": "Париж"}),
    ]


async def test_results_of_tools_in_the_history(site: Site, client: openai.AsyncOpenAI) -> None:
    call = {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    history: list[dict[str, Any]] = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_a", "content": [{"type": "text", "text": "sunny"}]},
        {"role": "user", "content": "So?"},
    ]
    await client.chat.completions.create(model="main", messages=history, tools=[TOOL])
    sent = site.vendor.requests[-1].body["messages"]
    assert sent[1]["tool_calls"] == [call]
    assert (sent[2]["role"], sent[2]["tool_call_id"], sent[2]["content"]) == ("tool", "call_a", "sunny")


async def test_pictures(site: Site, client: openai.AsyncOpenAI) -> None:
    data = f"data:image/jpeg;base64,{PIXEL}"  # it says jpeg, and is a PNG
    content = [
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": data, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://pictures.invalid/cat.png"}},
    ]
    await client.chat.completions.create(model="main", messages=[{"role": "user", "content": content}])
    sent = site.vendor.requests[-1].body["messages"][0]["content"]
    assert [part["type"] for part in sent] == ["text", "image_url", "image_url"]
    assert sent[1]["image_url"] == {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}
    assert sent[2]["image_url"]["url"] == "https://pictures.invalid/cat.png"


async def test_a_picture_of_20_mb_is_refused(site: Site) -> None:
    body = base64.b64decode(PIXEL) + b"x" * (12 << 20)
    url = "data:image/png;base64," + base64.b64encode(body).decode()
    content = [{"type": "image_url", "image_url": {"url": url}}]
    whole = json.dumps({"model": "main", "messages": [{"role": "user", "content": content}]}).encode()
    async with site.client.post(
        f"{site.base}/chat/completions", data=io.BytesIO(whole), headers=site.headers()
    ) as response:
        answer = Answer(response.status, response.headers, await response.read())
    assert (answer.status, answer.error["code"]) == (400, "invalid_image")


@pytest.mark.parametrize(
    "output",
    [
        {"type": "json_object"},
        {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}, "strict": True}},
    ],
)
async def test_json(site: Site, client: openai.AsyncOpenAI, output: dict[str, Any]) -> None:
    await client.chat.completions.create(
        model="main", messages=HELLO, response_format=output, logit_bias={"15": -100}, seed=7, stop=["END"]
    )
    body = site.vendor.requests[-1].body
    assert body["response_format"] == output and body["logit_bias"] == {"15": -100}
    assert (body["seed"], body["stop"]) == (7, ["END"])
