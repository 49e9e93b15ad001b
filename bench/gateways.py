"""A gateway under measurement, Botyard's own among them, and what a client sees of its streams."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from bench.processes import cpu_seconds
from tests.installation import Installation, wait_until

QUESTION = "Tell me about harbours at dawn, in about sixty words, one after the other. " * 5


@dataclass
class Gateway:
    """Where it listens, with which key, and which processes are it; `ready_in` in seconds."""

    name: str
    url: str
    key: str
    pids: Callable[[], list[int]]
    ready_in: float = 0.0

    def cpu(self) -> float:
        """CPU seconds of its processes so far."""
        return sum(cpu_seconds(pid) for pid in self.pids())

    def resident_mb(self) -> float:
        """Resident memory of its processes."""
        return sum(psutil.Process(pid).memory_info().rss for pid in self.pids()) / 2**20


@dataclass
class Heard:
    """What a client heard: seconds to the first text and to the end, the text, its chunks, and how it ended
    ("done" only with a finish_reason and [DONE])."""

    status: int = 0
    first: float = 0.0
    whole: float = 0.0
    text: str = ""
    chunks: int = 0
    finish: str = ""
    done: bool = False
    error: str = ""
    route: str = ""


def listens(gateway: Gateway, timeout: float) -> float:
    """Wait until it answers for its models; returns the seconds that took."""
    begun = time.monotonic()
    wait_until(lambda: _answers(gateway), timeout, f"{gateway.name} answers")
    return time.monotonic() - begun


def _answers(gateway: Gateway) -> bool:
    request = urllib.request.Request(
        f"{gateway.url}/models", headers={"Authorization": f"Bearer {gateway.key}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


async def stream(session: aiohttp.ClientSession, gateway: Gateway, model: str) -> Heard:
    """One streamed answer as a careful client reads it."""
    heard, begun = Heard(), time.perf_counter()
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
    headers = {"Authorization": f"Bearer {gateway.key}"}
    try:
        async with session.post(f"{gateway.url}/chat/completions", json=body, headers=headers) as answer:
            heard.status, heard.route = answer.status, answer.headers.get("x-botyard-route", "")
            if answer.status != 200:
                heard.error = (await answer.text())[:200]
            else:
                async for line in answer.content:
                    if line.startswith(b"data:"):
                        _fold(heard, line[5:].strip(), begun)
    except (aiohttp.ClientError, TimeoutError) as error:
        heard.error = type(error).__name__
    heard.whole = time.perf_counter() - begun
    return heard


def _fold(heard: Heard, data: bytes, begun: float) -> None:
    if data == b"[DONE]":
        heard.done = True
        return
    event: dict[str, Any] = json.loads(data)
    if event.get("error"):
        heard.error = str(event["error"])[:200]
    for choice in event.get("choices") or ():
        piece = (choice.get("delta") or {}).get("content")
        if piece:
            heard.first = heard.first or time.perf_counter() - begun
            heard.chunks += 1
            heard.text += piece
        heard.finish = choice.get("finish_reason") or heard.finish


@contextmanager
def botyard(folder: Path, providers: dict[str, str], routes: dict[str, Sequence[str]]) -> Iterator[Gateway]:
    """A whole Botyard as a newcomer starts it, with providers (id: address) and routes (id: candidates).

    Ready means: started again over its rows, until the gateway answers.
    """
    installation = Installation(folder / "botyard")
    try:
        installation.start(timeout=120)
        for name, base in providers.items():
            _made(installation, "providers", {"id": name, "kind": "openai-compatible", "base_url": base,
                                              "keys": [f"sk-{name}-0123456789"]})  # fmt: skip
        for name, candidates in routes.items():
            _made(installation, "routes", {"id": name, "candidates": list(candidates)})
        key = str(_made(installation, "gateway-keys", {"name": "bench"})["key"])
        gateway = Gateway(
            "Botyard", f"{installation.url}/v1", key, lambda: [int(installation.pid("web") or 0)]
        )
        installation.stop()
        begun = time.monotonic()
        installation.start(ready=False)
        wait_until(lambda: _answers(gateway), 60, "the gateway answers")
        gateway.ready_in = time.monotonic() - begun
        installation.wait_ready()
        yield gateway
    finally:
        installation.stop()


def _made(installation: Installation, what: str, body: dict[str, Any]) -> dict[str, Any]:
    status, answer = installation.get(f"/api/v1/{what}", "POST", body)
    if status != 201:
        raise RuntimeError(f"{what}: {status} {answer}")
    return dict(answer)
