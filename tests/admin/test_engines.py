"""The engines' room over hosts that really run."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from core.media.routes import media_routes
from db.providers import all_providers
from tests.admin.engine_rooms import add_host, answering, audited, standin_host, until_shown
from tests.admin.panel import Panel
from tests.engine.hosts import ROOT, engine_host
from tests.engine.hub_fake import fake_hub
from tests.engine.test_hub_download import FILES


async def test_a_model_is_loaded_pinned_and_unloaded(owned: Panel, tmp_path: Path) -> None:
    async with engine_host(tmp_path / "engine") as host:
        await add_host(owned, "gpu", host.url)
        page = (await owned.client.get("/engines")).text
        assert "Demo painter" in page and "on disk" in page and "No GPU was found" in page
        assert (await owned.post("/engines/gpu/load/demo")).headers["location"] == "/engines?done=told"
        page = await until_shown(owned, "in memory")
        assert "got its room" in page and "954 MB" in page
        await owned.post("/engines/gpu/pin/demo")
        assert "pinned" in (await owned.client.get("/engines?part=1")).text
        assert (await host.get("/memory"))["resident"][0]["pinned"] is True
        await owned.post("/engines/gpu/unpin/demo")
        await owned.post("/engines/gpu/unload/demo")
        page = await until_shown(owned, "on disk")
        assert "gave its room back" in page and not (await host.get("/memory"))["resident"]
        found = await owned.post("/providers/gpu/test", headers={"hx-request": "true"})
        assert "lists 1 model" in found.text and "demo" in found.text
        refused = await owned.post("/engines/gpu/load/nobody")
        assert refused.status_code == 422 and "no such model" in refused.text
        assert (await owned.post("/engines/nobody/load/demo")).status_code == 404
    assert await audited(owned) == [
        f"engine.{verb} gpu:demo" for verb in ("load", "pin", "unpin", "unload")
    ]  # what was refused is not there


async def test_sleep_devices_and_set_ups(
    owned: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.engine.setting_up.PASSED_KINDS", ("PIP_", "PYTHONPATH"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    async with standin_host(tmp_path / "host") as url:
        await add_host(owned, "gpu", url)
        page = (await owned.client.get("/engines")).text
        assert "its weights are a pickle" in page and "/load/bad" not in page and "/sleep/" not in page
        assert (await owned.post("/engines/gpu/load/a")).status_code == 303
        page = await until_shown(owned, "/engines/gpu/sleep/a")
        first, second = re.findall(r'<div class="mem">.*?</ul></div>', page, re.DOTALL)[:2]
        assert "0: GPU one" in first and "</i>a " in first and "other programs" not in first
        assert "1: GPU two" in second and "</i>a " not in second and "other programs" in second
        await owned.post("/engines/gpu/sleep/a")
        page = await until_shown(owned, "asleep")
        assert "Wake" in page and "/sleep/" not in page

        assert "to download" in page and "on the disk" in page
        await owned.post("/engines/gpu/families/slow/install")
        page = await until_shown(owned, "[1/2] sleeping")
        assert "is being set up" in page and "<progress" in page
        busy = await owned.post("/engines/gpu/families/breaks/install")
        assert busy.status_code == 422 and "slow is being set up: wait for it" in busy.text
        await owned.post("/engines/gpu/families/slow/cancel")
        await until_shown(owned, "Cancelled. Install it again")
        await owned.post("/engines/gpu/families/breaks/install")
        assert "Segmentation fault" in await until_shown(owned, "It could not be set up")
    assert "engine.family.install gpu:slow" in await audited(owned)


async def test_a_model_is_downloaded_and_listed(
    owned: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fake_hub({"org/llama": FILES}) as hub:
        hub.slow = 0.1
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        async with engine_host(tmp_path / "engine") as host:
            await add_host(owned, "gpu", host.url)
            assert "org/llama" not in (await owned.client.get("/engines")).text
            pasted = {"repo": "https://huggingface.co/org/llama/tree/main"}
            assert (await owned.post("/engines/gpu/downloads", pasted)).status_code == 303
            page = await until_shown(owned, 'max="1" value="0.')
            assert "24.0 MB" in page and "/engines/gpu/downloads/cancel" in page
            await owned.post("/engines/gpu/downloads/cancel", {"repo": "org/llama"})
            assert "Try again" in await until_shown(owned, "cancelled")
            hub.slow = 0.0
            await owned.post("/engines/gpu/downloads", {"repo": "org/llama"})
            await until_shown(owned, "/engines/gpu/load/org/llama")
            await owned.post("/engines/gpu/downloads", {"repo": "org/nobody"})
            await until_shown(owned, "The hub has no such repository.")
            wrong = await owned.post("/engines/gpu/downloads", {"repo": "../../etc"})
            assert wrong.status_code == 422 and "a repository is named OWNER/NAME" in wrong.text


async def test_silences_are_told_apart(owned: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("admin.pages.engine_hosts.WITHIN", 0.5)

    async def sleeps(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async def page_of_words(_: web.Request) -> web.Response:
        return web.Response(text="<h1>It works!</h1>", content_type="text/html")

    async def other_json(_: web.Request) -> web.Response:
        return web.json_response({"downloads": [{"repo": 7}]})

    async def broken(_: web.Request) -> web.Response:
        return web.json_response({"error": {"reason": "the disk is on fire"}}, status=500)

    async def said(name: str, url: str, **more: Any) -> str:
        await add_host(owned, name, url, **more)
        page = (await owned.client.get("/engines?part=1")).text
        return page[page.index(f'id="host-{name}"') :]

    assert "Nothing listens at this address" in await said("gone", "http://127.0.0.1:9")
    assert "Start it now" in await said("mine", "http://127.0.0.1:9", here=True)
    owned.orchestrator.engine = {"state": "PARKED", "reason": "it ended with 78"}
    page = (await owned.client.get("/engines")).text
    assert "it ended with 78" in page and 'href="/logs?of=engine"' in page
    owned.orchestrator.engine = {"state": "READY"}
    assert "runs at port 8003" in (await owned.client.get("/engines")).text
    async with answering(sleeps) as url:
        assert "says nothing for five seconds" in await said("silent", url)
    for number, answer in enumerate((page_of_words, other_json)):
        async with answering(answer) as url:
            assert "is no engine host" in await said(f"nonsense{number}", url)
    async with answering(broken) as url:
        assert "the disk is on fire" in await said("broken", url)
    async with engine_host(tmp_path / "engine") as host:
        assert "refuses the key" in await said("refused", host.url, key="another-token-than-that")
    async with owned.database.transaction() as conn:
        await conn.exec_driver_sql("UPDATE provider SET enabled = 0 WHERE id = 'gone'")
    assert "turned off" in (await owned.client.get("/engines")).text


async def test_this_machine_is_used_with_one_button(owned: Panel) -> None:
    assert "Use this machine" in (await owned.client.get("/engines")).text
    assert (await owned.post("/engines/here")).status_code == 303
    async with owned.database.reading() as conn:
        [row] = await all_providers(conn)
        assert (row.id, row.kind, row.config) == ("engine", "engine", {"here": True})
        assert {"images", "videos"} <= set(await media_routes(conn))
    assert "start_engine" in [name for name, _ in owned.orchestrator.asked]
    assert "Use this machine" not in (await owned.client.get("/engines")).text
    await owned.post("/engines/here")
    await asyncio.sleep(0.6)
    await owned.post("/engines/engine/start")
    assert await audited(owned) == ["engine.here engine", "engine.start engine"]
