"""Embeddings and responses, over a route's candidates that have them."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest
from aiohttp import web

from db import providers, settings
from tests.gateway.conftest import Site

RESPONSE = {
    "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m", "tools": [],
    "output": [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": "Hi", "annotations": []}]}],
    "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
}  # fmt: skip


@dataclass
class Vendor:
    """A server with embeddings and responses; `status` is what it says instead."""

    status: int = 200
    delay: float = 0.0
    cut: bool = False
    bodies: list[dict[str, Any]] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def embed(self, request: web.Request) -> web.StreamResponse:
        body = await self._seen(request)
        if self.status != 200:
            return web.json_response({"error": {"message": "no"}}, status=self.status)
        count = len(body["input"]) if isinstance(body["input"], list) else 1
        data = [{"object": "embedding", "index": i, "embedding": [0.5, float(i)]} for i in range(count)]
        usage = {"prompt_tokens": 4, "total_tokens": 4}
        return web.json_response({"object": "list", "model": body["model"], "data": data, "usage": usage})

    async def respond(self, request: web.Request) -> web.StreamResponse:
        body = await self._seen(request)
        if not body.get("stream"):
            return web.json_response(RESPONSE)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        for text in ("H", "i"):
            await self._event(response, {"type": "response.output_text.delta", "delta": text, **place})
        if self.cut and request.transport:
            await asyncio.sleep(0.05)
            request.transport.abort()
            return response
        await self._event(response, {"type": "response.completed", "response": RESPONSE})
        return response

    async def _event(self, response: web.StreamResponse, data: dict[str, Any]) -> None:
        await response.write(f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode())

    async def _seen(self, request: web.Request) -> dict[str, Any]:
        body: dict[str, Any] = await request.json()
        self.bodies.append(body)
        try:
            await asyncio.sleep(self.delay)
        except asyncio.CancelledError:
            self.gone.set()
            raise
        return body


@pytest.fixture
async def other(site: Site) -> AsyncIterator[Vendor]:
    """A third provider, "wide"; routes "vectors" (which asks the chat-only vendor first) and "wide"."""
    vendor = Vendor()
    app = web.Application()
    app.router.add_post("/v1/embeddings", vendor.embed)
    app.router.add_post("/v1/responses", vendor.respond)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.05)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    async with site.services.database.transaction() as conn:
        await providers.save_provider(
            conn, "wide", kind="openai-compatible", name="wide", base_url=url, config={}, enabled=True
        )
        await settings.bump_config(conn)
    await site.set_route("vectors", ["one:model-a", "wide:e"])
    await site.set_route("wide", ["wide:m"])
    yield vendor
    await runner.cleanup()


@pytest.fixture
async def client(site: Site) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=site.base, api_key=site.key, max_retries=0) as client:
        yield client


async def test_embeddings_of_the_first_that_has_them(
    site: Site, other: Vendor, client: openai.AsyncOpenAI
) -> None:
    raw = await client.embeddings.with_raw_response.create(
        model="vectors",
        input=["a", "b"],
        encoding_format="float",
        user="x",
        extra_body={"api_base": "http://evil"},
    )
    assert [one.embedding for one in raw.parse().data] == [[0.5, 0.0], [0.5, 1.0]]
    assert raw.headers["x-botyard-route"] == "vectors; wide:e; attempts=2; skipped=0"
    assert other.bodies == [{"input": ["a", "b"], "encoding_format": "float", "model": "e"}]
    rows = await site.usage(2)
    assert [(row.outcome, row.input_tokens) for row in rows][1] == ("ok", 4) and rows[0].outcome != "ok"
    assert (await site.ask()).status == 200, "that a vendor has no embeddings must not rest its chat"


async def test_responses(site: Site, other: Vendor, client: openai.AsyncOpenAI) -> None:
    whole = await client.responses.create(model="wide", input="Hello", instructions="Be brief.")
    assert whole.output_text == "Hi"
    stream = await client.responses.create(model="wide", input="Hello", stream=True)
    events = [event async for event in stream]
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "Hi"
    assert events[-1].type == "response.completed"
    assert [(row.outcome, row.input_tokens, row.output_tokens) for row in await site.usage(2)] == [
        ("ok", 3, 2)
    ] * 2


async def test_a_stream_that_breaks_is_told(site: Site, other: Vendor, client: openai.AsyncOpenAI) -> None:
    other.cut = True
    stream = await client.responses.create(model="wide", input="Hello", stream=True)
    events = [event.type async for event in stream]
    assert events[-1] == "error" and "response.completed" not in events
    assert [row.outcome for row in await site.usage(1)] == ["truncated"]


async def test_a_route_without_them(site: Site) -> None:
    for path in ("/embeddings", "/responses"):
        answer = await site.post({"model": "main", "input": "x"}, path=path)
        assert (answer.status, answer.error["code"]) == (404, "unsupported")
        for body in (
            {"model": "main"},
            {"model": "main", "input": []},
            {"input": "x"},
            {"model": 5, "input": "x"},
        ):
            assert (await site.post(body, path=path)).status == 400


async def test_a_failing_vendor(site: Site, other: Vendor) -> None:
    other.status = 503
    answer = await site.post({"model": "wide", "input": "x"}, path="/embeddings")
    assert answer.status == 503 and int(answer.headers["retry-after"]) >= 1


async def test_a_client_that_leaves(site: Site, other: Vendor) -> None:
    other.delay = 30
    task = asyncio.create_task(site.post({"model": "wide", "input": "x"}, path="/embeddings"))
    async with asyncio.timeout(5):
        while not other.bodies:
            await asyncio.sleep(0.01)
    task.cancel()
    async with asyncio.timeout(1):
        await other.gone.wait()
    assert [row.outcome for row in await site.usage(1)] == ["cancelled"]
