"""How a host ends, and that there is one for each home."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from providers.engine.__main__ import ALREADY_RUNS
from providers.errors import ErrorClass, ProviderError
from tests.engine.hosts import ROOT, TOKEN, engine_host, free_port
from tests.engine.test_host import asked, made

pytestmark = pytest.mark.asyncio


async def test_a_host_that_is_stopped_cancels_nobodys_job(tmp_path: Path) -> None:
    """Whoever waits hears that the line broke, as at a kill, and asks again: the job is not over."""
    async with engine_host(tmp_path / "home") as host:
        model, slow = host.model(), asked(params={"steps": 50, "step_seconds": 0.1})
        handles = [await model.submit(slow, key, tmp_path) for key in ("runs", "waits")]

        async def watched(handle: dict[str, object]) -> ProviderError:
            with pytest.raises(ProviderError) as caught:
                async for progress in model.watch(handle):
                    if progress.step == 2 and host.process is not None:
                        host.process.send_signal(signal.SIGTERM)
            return caught.value

        began = asyncio.get_running_loop().time()
        errors = await asyncio.gather(*map(watched, handles))
        assert [one.error_class for one in errors] == [ErrorClass.CONNECT] * 2
        assert host.process is not None and await asyncio.wait_for(host.process.wait(), 5) == 0
        assert asyncio.get_running_loop().time() - began < 5


async def test_a_second_host_leaves_the_home_of_the_first_alone(tmp_path: Path) -> None:
    async with engine_host(tmp_path / "home") as first:
        handle = await first.model().submit(asked(), "key", tmp_path)
        async for _ in first.model().watch(handle):
            pass
        second = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "providers.engine", "--device", "fake", "--port", str(free_port()),
            "--home", str(tmp_path / "home"), cwd=ROOT, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "BOTYARD_ENGINE_TOKEN": TOKEN},
        )  # fmt: skip
        try:
            _, told = await asyncio.wait_for(second.communicate(), 15)
        finally:
            if second.returncode is None:
                second.kill()
        assert second.returncode == ALREADY_RUNS and str(tmp_path / "home").encode() in told
        assert (await first.model().fetch(handle, tmp_path)).files
    async with engine_host(tmp_path / "home") as third:
        assert (await made(third, asked(), tmp_path))[0]
