"""A fake model vendor over real HTTP, in the OpenAI and the Anthropic shape, streaming and not.

    async with fake_llm() as llm:
        llm.url                    # "http://127.0.0.1:PORT/v1": base_url of an OpenAI-compatible provider
        llm.root                   # the same without /v1: base_url of an Anthropic provider
        llm.script("model-a", FAULTS["error_500"], Healthy("Hi", chunks=4))
        llm.script("model-b", Healthy(delay=0.05))
        ...
        llm.requests               # list[Seen]: model, key, path, body, at
        await llm.wait_disconnect()  # until a client went away in the middle of an answer

Each request to a model takes the next item of its script; the last one stays. Models without one answer
`Healthy()`: a deterministic text (see `answer_text`). `await llm.down()` refuses connections, `up()`
listens again on the same port. Faults are in tests/fakes/llm_faults.py.

Run by itself, for demos and benchmarks: python -m tests.fakes.llm --port 9000 [--delay 0.01] [--chunks 64]
"""

import argparse
import asyncio
import json
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.fakes.llm_faults import FAULTS, Fault, rate_limit
from tests.fakes.llm_shapes import AnthropicShape, OpenAIShape
from tests.fakes.llm_whole import misbehave

__all__ = ["FAULTS", "FakeLLM", "Fault", "Healthy", "Seen", "answer_text", "fake_llm", "rate_limit"]


@dataclass(frozen=True)
class Healthy:
    """A good answer: `text` (or a deterministic one) in so many chunks, `delay` seconds apart, `first` before
    the first. `thinking` comes first, in its own field or ("<think>...") inline as the text says. `calls` are
    tools that it calls after the text: id, name, arguments."""

    text: str | None = None
    chunks: int = 8
    delay: float = 0.0
    first: float = 0.0
    thinking: str = ""
    usage: bool = True
    comments: int = 0
    calls: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    model: str
    key: str
    path: str
    body: dict[str, Any]
    at: float = field(default_factory=time.monotonic)


def answer_text(model: str, question: str) -> str:
    """What a healthy fake answers: the same for the same model and question."""
    return f"{model} answers: " + " ".join(
        f"{word}-{number}" for number, word in enumerate(question.split()[:40])
    )


def split(text: str, chunks: int) -> list[str]:
    """A text in so many pieces, or one for each character where it is shorter."""
    count = max(1, min(chunks, len(text)))
    cuts = [len(text) * number // count for number in range(count + 1)]
    return [text[start:end] for start, end in zip(cuts, cuts[1:], strict=False)]


class FakeLLM:
    """The server; see the module's docstring."""

    def __init__(self, default: Healthy | None = None) -> None:
        self.default = default or Healthy()
        self.requests: list[Seen] = []
        self.disconnects: list[Seen] = []
        self.models = ["model-a", "model-b"]
        self.port = 0
        self._gone = asyncio.Event()
        self._scripts: dict[str, deque[Healthy | Fault]] = defaultdict(deque)
        self._runner: web.AppRunner | None = None

    @property
    def root(self) -> str:
        """The server's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The base_url of an OpenAI-compatible provider."""
        return f"{self.root}/v1"

    def script(self, model: str, *steps: Healthy | Fault) -> None:
        """What the next requests to a model get; the last step stays."""
        self._scripts[model] = deque(steps)

    def count(self, model: str) -> int:
        """How many requests a model got."""
        return sum(seen.model == model for seen in self.requests)

    def forget(self) -> None:
        """Forget the requests and disconnects so far."""
        self.requests.clear()
        self.disconnects.clear()
        self._gone.clear()

    async def wait_disconnect(self, timeout: float = 2.0) -> Seen:
        """The first request whose client went away before the end."""
        async with asyncio.timeout(timeout):
            await self._gone.wait()
        return self.disconnects[0]

    async def up(self, port: int = 0) -> None:
        """Listen (again)."""
        app = web.Application(client_max_size=32 << 20)
        app.router.add_post("/v1/chat/completions", self._openai)
        app.router.add_post("/v1/messages", self._anthropic)
        app.router.add_get("/v1/models", self._models)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.05)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port or self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def down(self) -> None:
        """Refuse connections."""
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": name} for name in self.models]})

    async def _openai(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, OpenAIShape())

    async def _anthropic(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, AnthropicShape())

    async def _serve(self, request: web.Request, shape: OpenAIShape) -> web.StreamResponse:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        key = bearer or request.headers.get("x-api-key", "")
        body = await request.json()
        seen = Seen(str(body.get("model")), key, request.path, body)
        self.requests.append(seen)
        script = self._scripts[seen.model]
        step = (script.popleft() if len(script) > 1 else script[0]) if script else self.default
        try:
            return await self._act(request, seen, step, shape)
        except (asyncio.CancelledError, ConnectionError):
            self.disconnects.append(seen)
            self._gone.set()
            raise

    async def _act(
        self, request: web.Request, seen: Seen, step: Healthy | Fault, shape: OpenAIShape
    ) -> web.StreamResponse:
        if isinstance(step, Fault) and not step.misbehaviour:
            text = step.body if isinstance(step.body, str) else json.dumps(step.body)
            kind = "text/html" if isinstance(step.body, str) else "application/json"
            return web.Response(status=step.status, text=text, headers=step.headers, content_type=kind)
        question = seen.body["messages"][-1]["content"] if seen.body.get("messages") else ""
        healthy = step if isinstance(step, Healthy) else Healthy()
        text = healthy.text if healthy.text is not None else answer_text(seen.model, str(question))
        if isinstance(step, Fault) and step.misbehaviour == "hang_headers":
            await asyncio.sleep(3600)
        if not seen.body.get("stream") and isinstance(step, Fault):
            return await misbehave(request, step, text, shape)
        if not seen.body.get("stream"):
            await asyncio.sleep(healthy.first)
            return web.json_response(shape.whole(seen.model, text))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        if isinstance(step, Fault):
            await self._misbehave(request, response, step, split(text, healthy.chunks), shape)
            return response
        await asyncio.sleep(healthy.first)
        for _ in range(healthy.comments):
            await response.write(b": keep-alive\n\n")
            await asyncio.sleep(healthy.delay)
        await response.write(shape.start(seen.model))
        if healthy.thinking:
            await response.write(shape.thinking(healthy.thinking))
        for piece in split(text, healthy.chunks):
            await response.write(shape.text(piece))
            if healthy.delay:
                await asyncio.sleep(healthy.delay)
        for number, call in enumerate(healthy.calls):
            await response.write(shape.call(number, call))
        reason = "tool_calls" if healthy.calls else "stop"
        await response.write(shape.end(reason, (len(str(question)), len(text)) if healthy.usage else None))
        return response

    async def _misbehave(
        self,
        request: web.Request,
        response: web.StreamResponse,
        fault: Fault,
        pieces: list[str],
        shape: OpenAIShape,
    ) -> None:
        if fault.misbehaviour == "empty":
            return
        await response.write(shape.start("fake"))
        for piece in pieces[: fault.after]:
            await response.write(shape.text(piece))
        match fault.misbehaviour:
            case "hang" | "gap":
                await asyncio.sleep(3600)
            case "reset" if request.transport:
                request.transport.abort()
            case "empty_text":
                await response.write(shape.end("stop", (1, 0)))
            case "unclosed_think":
                await response.write(shape.text("<think>I wonder"))
                await response.write(shape.end("stop", (1, 3)))
            case "content_filter":
                await response.write(shape.end("content_filter", (1, 0)))
            case "in_band":
                await response.write(shape.error("api_error", "Internal error"))
            case "in_band_overload":
                await response.write(shape.error("overloaded_error", "Overloaded"))


@asynccontextmanager
async def fake_llm(default: Healthy | None = None, port: int = 0) -> AsyncIterator[FakeLLM]:
    """A fake vendor on a free port of loopback."""
    fake = FakeLLM(default)
    await fake.up(port)
    try:
        yield fake
    finally:
        await fake.down()


async def _main() -> None:
    parser = argparse.ArgumentParser(description="A fake model vendor.")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--chunks", type=int, default=64)
    arguments = parser.parse_args()
    async with fake_llm(Healthy(chunks=arguments.chunks, delay=arguments.delay), arguments.port) as fake:
        print(f"fake model vendor at {fake.url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main())
