"""Engine hosts for the panel's tests: a provider for each, and a host whose engines are stand-ins."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import web

from core.routing.book import FRESH_FOR
from db.operators import recent_audit
from db.providers import save_provider
from db.settings import bump_config
from providers.engine.ledger import Ledger, Pool
from providers.engine.residence import Residence
from providers.engine.server import Server
from providers.engine.setting_up import SettingUp
from providers.engine.text_host import TextHost, TextOptions
from providers.engine.work import Shop
from tests.admin.panel import Panel
from tests.engine.hosts import TOKEN
from tests.engine.test_families import TINY
from tests.engine.test_hub_scan import LLAMA, PLAIN, UNSAFE, model
from tests.engine.text_support import STANDIN

GIB = 1 << 30


async def add_host(panel: Panel, name: str, url: str, here: bool = False, key: str = TOKEN) -> None:
    """A provider of the kind engine, ready to be asked."""
    panel.orchestrator.keys[name] = [key]
    async with panel.database.transaction() as conn:
        await save_provider(
            conn, name, kind="engine", name=name, base_url=f"{url}/v1", config={"here": True} if here else {},
            enabled=True, managed="",
        )  # fmt: skip
        await bump_config(conn)
    await asyncio.sleep(FRESH_FOR + 0.1)


async def audited(panel: Panel) -> list[str]:
    """What the audit says of engines, the oldest first."""
    async with panel.database.reading() as conn:
        rows = await recent_audit(conn)
    return [f"{row.action} {row.target}" for row in rows[::-1] if row.action.startswith("engine.")]


async def until_shown(panel: Panel, wanted: str, seconds: float = 20) -> str:
    """The live part of the page, as soon as it is as wanted."""
    async with asyncio.timeout(seconds):
        while True:
            page = (await panel.client.get("/engines?part=1")).text
            if wanted in page:
                return page
            await asyncio.sleep(0.1)


@asynccontextmanager
async def standin_host(folder: Path) -> AsyncIterator[str]:
    """The host's real server with two GPUs, text models (one is unsafe) behind a stand-in for vLLM, and
    families of stand-ins."""
    for name in ("a", "b"):
        model(folder / "models" / name, {"config.json": LLAMA, "m.safetensors": PLAIN})
    model(folder / "models" / "bad", UNSAFE["pickle"])
    model(folder, {"plan.json": {"token_seconds": 0.05}})
    gpus = [Pool("GPU one", "cuda", 6 * GIB), Pool("GPU two", "cuda", 6 * GIB, external=GIB)]
    ledger = Ledger(gpus, Pool("RAM", "cpu", 64 * GIB), hold=0.0)
    commands = {"vllm": (sys.executable, str(STANDIN), str(folder / "plan.json"))}
    environment = {"PATH": os.environ["PATH"]}
    text = TextHost(
        ledger, TextOptions(folder, folder / "hub", (folder / "models",), "cuda", environment, commands)
    )
    await text.start()
    residence = Residence(ledger, {}, dict)
    families = {name: replace(TINY, name=name) for name in ("slow", "breaks")}
    standin = (sys.executable, "-m", "tests.engine.family_standin", str(folder))
    setting_up = SettingUp(folder / "records", lambda _: None, families, folder, standin)
    server = Server(Shop(residence, folder, 300.0), residence, ledger, TOKEN, text, setting_up)
    async with _served(server.app()) as url:
        yield url
    await setting_up.close()
    await text.close()


@asynccontextmanager
async def answering(answer: Callable[[web.Request], Awaitable[Any]]) -> AsyncIterator[str]:
    """A server that is no engine host."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with _served(app) as url:
        yield url


@asynccontextmanager
async def _served(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
