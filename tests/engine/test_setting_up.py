"""Families set up through the host: over HTTP, with real children and the real pip."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from providers.engine.process import started_at
from providers.engine.setting_up import SettingUp
from tests.engine.hosts import ROOT, engine_host
from tests.engine.test_families import TINY, requirements
from tests.engine.text_support import until

pytestmark = pytest.mark.asyncio
NAMES = ("tiny", "nonsense", "slow", "breaks", "liar")


class Panel:
    """What asks a host about its families."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ready: list[str] = []
        families = {name: replace(TINY, name=name) for name in NAMES}
        command = (sys.executable, "-m", "tests.engine.family_standin", str(root))
        self.setting_up = SettingUp(root / "records", self.ready.append, families, root, command)
        self.http: aiohttp.ClientSession
        self.url = ""

    async def ask(self, method: str, path: str) -> tuple[int, Any]:
        async with self.http.request(method, self.url + path) as answer:
            return answer.status, await answer.json()

    async def shown(self, name: str) -> Any:
        _, answer = await self.ask("GET", "/families")
        return next(one for one in answer["families"] if one["name"] == name)

    async def ended(self, name: str) -> Any:
        async with asyncio.timeout(60):
            while (shown := await self.shown(name))["job"]["state"] == "running":
                await asyncio.sleep(0.05)
        return shown


@pytest_asyncio.fixture
async def panel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Panel]:
    monkeypatch.setattr("providers.engine.setting_up.PASSED_KINDS", ("PIP_", "PYTHONPATH"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    made = Panel(tmp_path)
    app = web.Application()
    app.add_routes(made.setting_up.routes())
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as http:
        made.http = http
        yield made
    await made.setting_up.close()
    await runner.cleanup()


async def test_a_family_is_set_up_with_progress_and_used_at_once(panel: Panel) -> None:
    requirements(panel.root)
    before = await panel.shown("tiny")
    assert before["installed"] is False and before["job"] is None and before["disk_mib"] == 1
    assert set(before) == {
        "name", "about", "installed", "stale", "download_mib", "disk_mib", "gpu", "job",
    }  # fmt: skip
    status, begun = await panel.ask("POST", "/families/tiny/install")
    assert status == 202 and begun["job"]["state"] == "running"
    assert (await panel.ask("POST", "/families/tiny/install"))[0] == 202  # the same one
    done = await panel.ended("tiny")
    assert done["job"]["state"] == "done" and done["job"]["fraction"] == 1.0 and done["installed"] is True
    assert any(line.startswith("tiny (a test): 1 packages. About 1 MiB") for line in done["job"]["lines"])
    assert "[3/3] trying it" in done["job"]["lines"] and panel.ready == ["tiny"]
    path = panel.root / "requirements/tiny.txt"
    path.write_text(path.read_text() + "# changed\n")
    stale = await panel.shown("tiny")
    assert stale["stale"] and stale["installed"]


async def test_why_it_failed_is_told_and_the_next_one_runs(panel: Panel) -> None:
    requirements(panel.root, "0" * 64)
    reasons = {}
    for name in ("tiny", "breaks", "liar"):
        assert (await panel.ask("POST", f"/families/{name}/install"))[0] == 202
        shown = await panel.ended(name)
        assert shown["job"]["state"] == "failed" and not shown["installed"]
        reasons[name] = shown["job"]["why"]
    assert "HASHES" in reasons["tiny"] and "139: Segmentation fault" in reasons["breaks"]
    assert "it said nothing" in reasons["liar"] and panel.ready == []
    requirements(panel.root)
    await panel.ask("POST", "/families/nonsense/install")
    assert (await panel.ended("nonsense"))["job"]["state"] == "done"


async def test_a_second_one_is_refused_and_a_cancel_leaves_nothing(panel: Panel) -> None:
    assert (await panel.ask("POST", "/families/slow/install"))[0] == 202
    await until(lambda: (panel.root / "asleep").exists() and (panel.root / "asleep").read_text())
    pid = int((panel.root / "asleep").read_text())
    status, answer = await panel.ask("POST", "/families/tiny/install")
    assert (status, answer["error"]["field"]) == (409, "busy") and "slow is being" in answer["error"][
        "reason"
    ]
    assert (await panel.ask("POST", "/families/nobody/install"))[0] == 404
    assert (await panel.ask("POST", "/families/nobody/cancel"))[0] == 404
    status, answer = await panel.ask("POST", "/families/slow/cancel")
    assert (status, answer["job"]["state"]) == (200, "cancelled")
    await until(lambda: started_at(pid) is None)
    assert not list((panel.root / "records").glob("*.json"))
    assert (await panel.ask("POST", "/families/tiny/cancel"))[0] == 200  # nothing to stop
    requirements(panel.root)
    assert (await panel.ask("POST", "/families/tiny/install"))[0] == 202
    assert (await panel.ended("tiny"))["job"]["state"] == "done"


HOST = """
import asyncio, sys
from pathlib import Path
from providers.engine.setting_up import SettingUp, Job
from tests.engine.test_families import TINY

async def main(root):
    command = (sys.executable, "-m", "tests.engine.family_standin", str(root))
    made = SettingUp(root / "records", print, {"slow": TINY}, root, command)
    await made.start()
    await made._run("slow", Job())

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_it_dies_with_a_killed_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = HOST.replace("async def main", "import os; os.environ['PIP_X'] = '1'\nasync def main")
    code = "import providers.engine.setting_up as s; s.PASSED_KINDS = ('PIP_', 'PYTHONPATH')\n" + code
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    host = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(tmp_path), cwd=ROOT, env=environ
    )
    await until(lambda: (tmp_path / "asleep").exists() and (tmp_path / "asleep").read_text(), 20)
    (record,) = (tmp_path / "records").glob("*.json")
    host.kill()
    await host.wait()
    await until(lambda: started_at(int(record.stem)) is None)
    made = SettingUp(tmp_path / "records", print)
    await made.start()  # ends what an installation had started itself
    await until(lambda: started_at(int((tmp_path / "asleep").read_text())) is None)


async def test_a_real_host_tells_its_families(tmp_path: Path) -> None:
    async with engine_host(tmp_path) as host:
        told = (await host.get("/families"))["families"]
        assert [one["name"] for one in told] == ["diffusers", "transformers", "vllm"]
        assert told[2]["gpu"] and told[0]["download_mib"] > 100 and told[0]["installed"] is True
