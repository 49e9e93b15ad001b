"""Text in a host: the real ledger, models found on disk, stand-ins for vLLM, downloads and the routes."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from providers.engine.holdings import Pool
from providers.engine.ledger import Ledger
from providers.engine.proofs import Proofs
from providers.engine.text.service import UnknownModel
from providers.engine.text_host import TextHost, TextOptions
from tests.engine.test_hub_scan import LLAMA, PLAIN, UNSAFE, model
from tests.engine.text_support import STANDIN, until

GIB = 1 << 30


class Front:
    """A host's HTTP with text alone."""

    def __init__(
        self, host: TextHost, ledger: Ledger, proofs: Proofs, http: aiohttp.ClientSession, url: str
    ) -> None:
        self.host, self.ledger, self.proofs, self._http, self._url = host, ledger, proofs, http, url

    async def ask(self, method: str, path: str, **body: Any) -> tuple[int, Any]:
        async with self._http.request(method, self._url + path, json=body or None) as answer:
            return answer.status, await answer.json()

    async def chat(self, name: str) -> int:
        messages = [{"role": "user", "content": "hello"}]
        return (await self.ask("POST", "/v1/chat/completions", model=name, messages=messages))[0]

    def states(self) -> dict[str, str]:
        return {one["name"]: one["state"] for one in self.host.models()}


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    """A GPU of 3 GiB, on which one of two small models fits."""
    for name in ("a", "b"):
        model(tmp_path / "models" / name, {"config.json": LLAMA, "m.safetensors": PLAIN})
    model(tmp_path / "models" / "bad", UNSAFE["pickle"])
    model(tmp_path, {"plan.json": {"token_seconds": 0.05}})
    ledger = Ledger([Pool("GPU", "cuda", 3 * GIB)], Pool("RAM", "cpu", 64 * GIB), hold=0.0)
    commands = {"vllm": (sys.executable, str(STANDIN), str(tmp_path / "plan.json"))}
    proofs = Proofs()
    folders, environment = (tmp_path / "models",), {"PATH": os.environ["PATH"]}
    options = TextOptions(tmp_path, tmp_path / "hub", folders, "cuda", environment, commands, proofs.tried)
    host = TextHost(ledger, options)
    await host.start()
    app = web.Application()
    app.add_routes(host.routes())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession() as http:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield Front(host, ledger, proofs, http, url)
    await host.close()
    await runner.cleanup()
    assert not ledger.holdings


async def test_two_models_take_turns_on_one_device(front: Front) -> None:
    assert front.states() == {"a": "cold", "b": "cold", "bad": "absent"}
    assert await front.chat("a") == 200 and front.states() == {"a": "ready", "b": "cold", "bad": "absent"}
    assert await front.chat("b") == 200 and front.states() == {"a": "cold", "b": "ready", "bad": "absent"}
    assert [one.model for one in front.ledger.holdings] == ["b"]
    replies = await asyncio.gather(*(front.chat(name) for name in "abab"))
    assert replies == [200] * 4


async def test_pinned_and_unsafe_models(front: Front) -> None:
    await front.host.command("a", "load")
    await front.host.command("a", "pin")
    assert front.ledger.holdings[0].pinned
    status, answer = await front.ask("POST", "/v1/completions", model="b", prompt="x", max_tokens=1)
    assert status == 507 and answer["error"]["held_by"] == ["a"]
    await front.host.command("a", "unpin")
    await front.host.command("a", "unload")
    assert not front.ledger.holdings and await front.chat("b") == 200
    assert await front.chat("bad") == 404
    [bad] = [one for one in front.host.models() if one["name"] == "bad"]
    assert bad["unsafe"] == "its weights are a pickle: pytorch_model.bin"
    with pytest.raises(UnknownModel):
        await front.host.command("bad", "load")
    for name, verb, status in (("bad", "load", 409), ("nobody", "load", 404), ("b", "sleep", 200)):
        assert (await front.host.ordered(name, verb)).status == status
    assert (await front.host.ordered("a", "sleep")).status == 409  # it does not run


async def test_a_token_proves_the_host_and_a_death_does_not(front: Front, tmp_path: Path) -> None:
    assert front.proofs.told()["status"] == "unproven"
    await front.host.command("a", "load")  # its own first token
    assert front.proofs.good
    (pid,) = front.host.service.engine("a").pids[:1]
    os.kill(pid, signal.SIGKILL)
    await until(lambda: front.proofs.told()["status"] == "failing")
    assert "a: died with -9" in front.proofs.told()["why"]
    assert await front.chat("a") == 200 and front.proofs.good
    model(tmp_path, {"plan.json": {"crash": True, "token_seconds": 0.05}})
    await front.host.command("a", "unload")
    messages = [{"role": "user", "content": "hello"}]
    async with front._http.post(
        f"{front._url}/v1/chat/completions", json={"model": "a", "messages": messages, "stream": True}
    ) as answer:
        assert "engine_died" in await answer.text()
    assert front.proofs.told()["status"] == "failing"


async def test_downloads_over_http(front: Front, tmp_path: Path) -> None:
    assert (await front.ask("GET", "/downloads"))[1] == {"downloads": []}
    for body in ({"repo": "../x"}, {"nothing": 1}):
        status, answer = await front.ask("POST", "/models/download", **body)
        assert status == 400 and answer["error"]["field"] == "repo"
    front.host.downloads._python = lambda: tmp_path / "nowhere"
    assert (await front.ask("POST", "/models/download", repo="org/x"))[0] == 202
    await until(lambda: front.host.downloads.all()[0].state == "failed")
    [one] = (await front.ask("GET", "/downloads"))[1]["downloads"]
    assert one["repo"] == "org/x" and "cannot be run" in one["why"]
    assert (await front.ask("POST", "/downloads/cancel", repo="org/x"))[0] == 200
