"""A thousand streams at once through one web process: none may fail or lose a chunk."""

import asyncio
import resource
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import aiohttp

from bench.gateways import Gateway, Heard, botyard, stream
from bench.report import percentile, table
from tests.fakes.remote import RemoteLLM

STREAMS = 1000
CHUNKS = 64
PAUSE = 0.4  # seconds between chunks: about 26 s a stream, so that all of them are open together


def run() -> str:
    """Measure; returns a Markdown section."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))
    with tempfile.TemporaryDirectory(prefix="botyard-many-") as folder, ExitStack() as stack:
        llm = stack.enter_context(RemoteLLM("--chunks", str(CHUNKS), "--delay", str(PAUSE)))
        ours = stack.enter_context(botyard(Path(folder), {"fake": llm.url}, {"main": ["fake:model"]}))
        return asyncio.run(_crowd(ours))


async def _crowd(gateway: Gateway) -> str:
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=300)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        cpu, begun = gateway.cpu(), time.perf_counter()
        heard = await asyncio.gather(*(_later(session, gateway, number) for number in range(STREAMS)))
        took, cpu = time.perf_counter() - begun, gateway.cpu() - cpu
    whole = [one for one in heard if one.done and not one.error and one.finish == "stop"]
    lost = sum(CHUNKS - one.chunks for one in heard)
    firsts = [one.first for one in whole]
    row = (STREAMS, STREAMS - len(whole), lost, f"{statistics.median(firsts):.2f}",
           f"{percentile(firsts, 0.95):.2f}", f"{took:.0f}", f"{cpu / STREAMS * 1000:.1f}",
           f"{gateway.resident_mb():.0f}")  # fmt: skip
    head = ("streams at once", "failed", "chunks lost", "first token, median s", "p95 s", "all in s",
            "CPU ms each", "resident MB")  # fmt: skip
    return table(head, [row])


async def _later(session: aiohttp.ClientSession, gateway: Gateway, number: int) -> Heard:
    await asyncio.sleep(number * 0.004)  # people do not all press Enter in the same millisecond
    return await stream(session, gateway, "main")
