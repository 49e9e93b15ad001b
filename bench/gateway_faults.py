"""The gateway beside LiteLLM's proxy on the same faults, with one healthy fallback each time."""

import asyncio
import tempfile
from contextlib import ExitStack
from pathlib import Path

import aiohttp

from bench.gateways import Gateway, Heard, botyard, stream
from bench.litellm import litellm
from bench.report import table
from tests.fakes.llm import FAULTS, FakeLLM, Fault, fake_llm, rate_limit
from tests.installation import free_port

PATIENCE = 60.0  # seconds that a client waits for one answer
MESSAGES = 3  # one after the other
DEAD = "dead server"
PROVED: dict[str, Fault | None] = {
    "429 with Retry-After: 20": rate_limit(20),
    "bad key (401)": FAULTS["bad_key_401"],
    "no credit left (402)": FAULTS["quota_402"],
    "server error (500)": FAULTS["error_500"],
    "overloaded (503)": FAULTS["overload_503"],
    "model gone (404)": FAULTS["model_gone"],
    "context too long (400)": FAULTS["context"],
    "refused content (400)": FAULTS["content_400"],
    "empty 200": FAULTS["empty"],
    "stream without text": FAULTS["empty_text"],
    "reset before the first token": FAULTS["reset_first"],
    "cut after two chunks": FAULTS["cut"],
    "error inside the stream": FAULTS["in_band"],
    "hangs before the first token": FAULTS["hang"],
    DEAD: None,
}


def run() -> str:
    """Measure; returns a Markdown section."""
    return asyncio.run(_run())


async def _run() -> str:
    async with fake_llm() as fake:
        names = {f"m{number}": fault for number, fault in enumerate(PROVED)}
        bases = {name: fake.url for name in names}
        for name, what in names.items():
            fault = PROVED[what]
            if fault is None:
                bases[name] = f"http://127.0.0.1:{free_port()}/v1"
            else:
                fake.script(name, fault)
        rows = await asyncio.to_thread(_start, fake, names, bases)
    head = ("fault of the first model", "Botyard", "wasted calls", "LiteLLM", "wasted calls")
    return table(head, rows)


def _start(fake: FakeLLM, names: dict[str, str], bases: dict[str, str]) -> list[tuple[str, ...]]:
    with tempfile.TemporaryDirectory(prefix="botyard-faults-") as folder, ExitStack() as stack:
        providers = {**bases, "good": fake.url}
        routes = {name: [f"{name}:{name}", "good:good"] for name in names}
        ours = stack.enter_context(botyard(Path(folder), providers, routes))
        fallbacks = {name: ["good"] for name in names}
        peer = stack.enter_context(litellm(Path(folder), providers, fallbacks))
        return asyncio.run(_compare(fake, names, (ours, peer)))


async def _compare(
    fake: FakeLLM, names: dict[str, str], gateways: tuple[Gateway, ...]
) -> list[tuple[str, ...]]:
    rows = []
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for name, what in names.items():
            row = [what]
            for gateway in gateways:
                before = fake.count(name)
                heard = [await stream(session, gateway, name) for _ in range(MESSAGES)]
                wasted = "" if what == DEAD else str(fake.count(name) - before)
                row += ["; ".join(map(_said, heard)), wasted]
            rows.append(tuple(row))
    return rows


def _said(heard: Heard) -> str:
    """One message as its sender sees it."""
    if heard.done and heard.finish == "stop" and heard.text.startswith("good answers"):
        return f"{heard.first:.2f} s"
    if heard.error:
        return f"**{'half an answer, then ' if heard.text else ''}an error** after {heard.whole:.1f} s"
    if heard.done and not heard.text:
        return f"**an empty answer as if whole** after {heard.whole:.1f} s"
    return f"**half an answer as if whole** after {heard.whole:.1f} s"
