"""CPU for one streamed answer of about 64 chunks: bare aiohttp, the provider's adapter, the whole route."""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from bench.report import percentile, table
from core.routing.route import Router
from core.routing.spec import RouteSpec
from db.database import Database
from db.migrate import main as migrate
from providers.registry import open_provider
from providers.types import ChatRequest, ChatTurn, ProviderConfig, Text
from tests.fakes.remote import RemoteLLM

ROUNDS = 40
QUESTION = "Tell me about harbours at dawn, in about sixty words, one after the other. " * 4
REQUEST = ChatRequest((ChatTurn("user", QUESTION),))


def run() -> str:
    """Measure; returns a Markdown section."""
    with RemoteLLM("--chunks", "64", "--delay", "0.004") as llm:
        return asyncio.run(_run(llm.url))


async def _run(url: str) -> str:
    config = ProviderConfig("fake", "openai-compatible", url, ("sk-test-0123456789",))
    with tempfile.TemporaryDirectory() as folder:
        address = f"sqlite:///{Path(folder) / 'bench.db'}"
        await migrate(address)
        database = Database(address)
        async with aiohttp.ClientSession() as session:
            provider, router = open_provider(config), Router()
            ways: dict[str, Callable[[], Awaitable[int]]] = {
                "bare aiohttp, lines read and dropped": lambda: _bare(session, url),
                "provider's adapter": lambda: _adapter(provider.model("model", config.keys[0])),
                "whole route": lambda: _route(router, config),
            }
            times: dict[str, list[float]] = {name: [] for name in ways}
            chunks = 0
            for _ in range(ROUNDS):  # turn about, so that all see the same machine
                for name, way in ways.items():
                    before = time.process_time()
                    chunks = await way()
                    times[name].append(time.process_time() - before)
            await provider.close()
            await router.close()
        await database.close()
    rows = [
        (name, f"{percentile(spent, 0.5) * 1000:.1f}", f"{percentile(spent, 0.5) * 1e6 / chunks:.0f}")
        for name, spent in times.items()
    ]
    return table(("way", f"CPU ms for {chunks} chunks", "CPU µs a chunk"), rows)


async def _bare(session: aiohttp.ClientSession, url: str) -> int:
    body = {"model": "model", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
    lines = 0
    async with session.post(f"{url}/chat/completions", json=body) as answer:
        async for line in answer.content:
            lines += line.startswith(b"data:")
    return lines


async def _adapter(model: object) -> int:
    return len([1 async for delta in model.stream(REQUEST) if isinstance(delta, Text)])  # type: ignore[attr-defined]


async def _route(router: Router, config: ProviderConfig) -> int:
    spec = RouteSpec("bench", ("fake:model",), {}, (config,))
    stream = router.open(spec, REQUEST, time.monotonic() + 60)
    return len([1 async for delta in stream if isinstance(delta, Text)])
