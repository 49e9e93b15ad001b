"""The host's text over a real vLLM on the CPU, as a process: `python -m bench.vllm_host FOLDER PROGRAM`.

Prints one line of JSON once a real token came, and serves until it is terminated.
"""

import asyncio
import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import aiohttp
from aiohttp import web

from providers.engine.holdings import Pool
from providers.engine.hub.scan import text_models
from providers.engine.ledger import Ledger
from providers.engine.text_host import TextHost, TextOptions

GIB = 1 << 30
MODEL, ADAPTER = "tiny", "tiny:tiny-adapter"


async def main(folder: Path, program: str) -> None:
    """Start, ask for a token, tell, serve."""
    ledger = Ledger([Pool("CPU", "cuda", 8 * GIB)], Pool("RAM", "cpu", 16 * GIB))
    environment = {
        **os.environ,
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "PATH": f"{Path(program).parent}:{os.environ['PATH']}",
    }
    options = TextOptions(
        folder,
        folder / "hub",
        (folder / "models",),
        "cuda",
        environment,
        {"vllm": ("taskset", "-c", "0", program)},
    )
    host = TextHost(ledger, options)
    await host.start()
    # vLLM refuses sleep on a CPU.
    host.service.offer(replace(one, sleeps=False) for one in text_models(list(host.found.values()), "vllm"))
    app = web.Application()
    app.add_routes(host.routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        begun = time.monotonic()
        plain = await _said(url, MODEL)
        ready = time.monotonic() - begun
        engine = host.service.engine(MODEL)
        print(json.dumps({
            "host": url, "vllm": f"{engine.base_url}/v1", "ready": ready,
            "key": engine.headers["Authorization"].removeprefix("Bearer "),
            "adapter": await _said(url, ADAPTER) != plain, "version": await _version(engine.base_url),
        }), flush=True)  # fmt: skip
        stopping = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
        await stopping.wait()
    finally:
        await host.close()
        await runner.cleanup()


async def _said(url: str, model: str) -> str:
    body = {
        "model": model,
        "max_tokens": 12,
        "temperature": 0,
        "messages": [{"role": "user", "content": "hello"}],
    }
    timeout = aiohttp.ClientTimeout(total=600)
    async with (
        aiohttp.ClientSession(timeout=timeout) as http,
        http.post(f"{url}/chat/completions", json=body) as answer,
    ):
        told = await answer.json()
        if answer.status != 200:
            raise RuntimeError(f"{model}: {answer.status} {told}")
        return str(told["choices"][0]["message"]["content"])


async def _version(base_url: str) -> str:
    async with aiohttp.ClientSession() as http, http.get(f"{base_url}/version") as answer:
        return str((await answer.json())["version"])


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
