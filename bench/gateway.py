"""The OpenAI-compatible gateway beside LiteLLM's proxy, on the same fake upstream in the same run."""

import asyncio
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import aiohttp

from bench.gateways import Gateway, botyard, stream
from bench.litellm import litellm
from bench.report import table
from tests.fakes.remote import RemoteLLM

PACED = 40  # streams whose chunks come 4 ms apart, one after the other
QUICK = 150  # streams for the time to the first token, turn about
CROWD, AT_ONCE = 300, 24  # streams without pauses, so many at once


def run() -> str:
    """Measure; returns a Markdown section."""
    with tempfile.TemporaryDirectory(prefix="botyard-gateway-") as folder, ExitStack() as stack:
        paced = stack.enter_context(RemoteLLM("--chunks", "64", "--delay", "0.004"))
        quick = stack.enter_context(RemoteLLM("--chunks", "64"))
        names = {"paced": paced.url, "quick": quick.url}
        routes = {name: [f"{name}:model"] for name in names}
        ours = stack.enter_context(botyard(Path(folder), names, routes))
        peer = stack.enter_context(litellm(Path(folder), names, {}))
        direct = {name: Gateway("direct", url, "sk-x", list) for name, url in names.items()}
        return asyncio.run(_compare(direct, ours, peer))


async def _compare(direct: dict[str, Gateway], ours: Gateway, peer: Gateway) -> str:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        idle = {one.name: one.resident_mb() for one in (ours, peer)}
        for one in (ours, peer, direct["quick"]):
            for _ in range(5):
                await _good(session, one, "quick")
        cpu = {one.name: await _cpu(session, one) for one in (ours, peer)}
        first = await _first(session, direct["quick"], (ours, peer))
        rate = {one.name: await _rate(session, one) for one in (ours, peer)}
    rows = [
        (one.name, f"{one.ready_in:.1f}", f"{idle[one.name]:.0f}", f"{one.resident_mb():.0f}",
         f"{cpu[one.name] * 1000:.1f}", f"{first[one.name] * 1000:.1f}", f"{rate[one.name]:.1f}")
        for one in (ours, peer)
    ]  # fmt: skip
    cheaper, more = cpu[peer.name] / cpu[ours.name], rate[ours.name] / rate[peer.name]
    share = ("Botyard's share", "", "", "", f"1/{cheaper:.1f}", "", f"{more:.1f} times")
    head = ("gateway", "ready s", "resident MB at rest", "resident MB after", "CPU ms per 64-chunk stream",
            "added to the first token, median ms", "streams/s")  # fmt: skip
    return table(head, [*rows, share])


async def _good(session: aiohttp.ClientSession, gateway: Gateway, model: str) -> float:
    heard = await stream(session, gateway, model)
    if not heard.done or heard.error or heard.chunks != 64:
        raise RuntimeError(f"{gateway.name}: {heard}")
    return heard.first


async def _cpu(session: aiohttp.ClientSession, gateway: Gateway) -> float:
    """CPU seconds of one stream."""
    before = gateway.cpu()
    for _ in range(PACED):
        await _good(session, gateway, "paced")
    return (gateway.cpu() - before) / PACED


async def _first(
    session: aiohttp.ClientSession, direct: Gateway, gateways: tuple[Gateway, ...]
) -> dict[str, float]:
    """Median seconds to the first text, less those without a gateway."""
    times: dict[str, list[float]] = {one.name: [] for one in (direct, *gateways)}
    for _ in range(QUICK):
        for one in (direct, *gateways):
            times[one.name].append(await _good(session, one, "quick"))
    floor = statistics.median(times[direct.name])
    return {one.name: statistics.median(times[one.name]) - floor for one in gateways}


async def _rate(session: aiohttp.ClientSession, gateway: Gateway) -> float:
    """Whole streams a second, with many at once."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with room:
            await _good(session, gateway, "quick")

    begun = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CROWD)))
    return CROWD / (time.perf_counter() - begun)
