"""What must not stay: processes of a start that failed, downloads of a host that died, inputs of old jobs."""

import asyncio
import errno
import os
import signal
import sys
import time
from pathlib import Path

import aiohttp
import psutil
import pytest

from providers.engine.hub.download import FETCH
from providers.engine.process import spawn
from providers.engine.work import KEPT_INPUTS
from providers.media.types import MediaInput, Task
from tests.engine.hosts import ROOT, engine_host
from tests.engine.hub_fake import fake_hub
from tests.engine.test_host import asked, made
from tests.engine.test_hub_download import FILES
from tests.engine.text_real import server
from tests.engine.text_support import until
from tests.jobs.studio import picture

HOST = "import subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.PIPE)"
pytestmark = pytest.mark.asyncio


async def test_a_program_that_cannot_be_recorded_does_not_run_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="No space left"):
        await spawn(("sleep", "60.126"), dict(os.environ), tmp_path)
    running = [one for one in psutil.Process().children(recursive=True) if "60.126" in one.cmdline()]
    assert not running


async def test_a_download_ends_with_its_host(tmp_path: Path) -> None:
    async with fake_hub({"org/llama": FILES}) as hub:
        hub.slow = 0.5
        environ = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(tmp_path)}
        argv = [
            str(server().with_name("python")),
            "-u",
            str(FETCH),
            "org/llama",
            "main",
            str(tmp_path / "hub"),
        ]
        host = await asyncio.create_subprocess_exec(
            sys.executable, "-c", HOST, *argv, env=environ, cwd=ROOT,
        )  # fmt: skip
        await until(lambda: "GET part/big.safetensors" in hub.asked, 20)
        [child] = psutil.Process(host.pid).children()
        host.send_signal(signal.SIGKILL)
        await host.wait()
        await until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 4)


async def test_inputs_are_kept_for_a_while_and_for_jobs_under_way(tmp_path: Path) -> None:
    async with engine_host(tmp_path / "home") as host:
        given = tmp_path / "given.png"
        inputs = tmp_path / "home/inputs"
        old = time.time() - KEPT_INPUTS - 60
        for width in (80, 90):
            given.write_bytes(picture(width, 60))
            request = asked("x", task=Task.IMAGE_TO_IMAGE, inputs=(MediaInput(given, "image/png"),))
            await made(host, request, tmp_path)
            for file in inputs.iterdir():
                os.utime(file, (old, old))
        given.write_bytes(picture(100, 60))
        await made(host, request, tmp_path)
        assert len(list(inputs.iterdir())) == 1


async def test_a_token_of_odd_bytes_is_a_wrong_one(tmp_path: Path) -> None:
    async with engine_host(tmp_path / "home") as host, aiohttp.ClientSession() as session:
        reader, writer = await asyncio.open_connection("127.0.0.1", host.port)
        writer.write(b"GET /models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \xff\xfe\r\n\r\n")
        assert (await reader.readline()).split()[1] == b"401"
        writer.close()
        async with session.post(
            f"{host.url}/jobs", json={"model": "demo", "key": "k", "request": [1]},
            headers={"Authorization": "Bearer a-token-of-the-tests"},
        ) as answer:  # fmt: skip
            assert answer.status == 400
