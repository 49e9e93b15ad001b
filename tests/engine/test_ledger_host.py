"""Memory through a whole host: precision by request, peaks kept, and numbers when it never fits."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from providers.errors import ErrorClass, ProviderError
from tests.engine.hosts import engine_host
from tests.engine.test_diffusion import MODELS, PYTHON, asked, made

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]


async def test_precision_by_request_and_peaks_kept_beside_the_host(tmp_path: Path) -> None:
    if not (MODELS / "tiny-flux").exists():
        environ = {**os.environ, "OMP_NUM_THREADS": "1"}
        building = await asyncio.create_subprocess_exec(PYTHON, "tests/engine/tiny.py", MODELS, env=environ)
        assert await building.wait() == 0
    options = ("--device", "cpu", "--models", str(MODELS), "--diffusers", str(PYTHON))
    async with engine_host(tmp_path / "home", *options) as host:
        (plain,), _ = await made(host, "tiny-flux", asked(), tmp_path)
        (eight,), _ = await made(host, "tiny-flux", asked(params={"quantise": "fp8"}), tmp_path)
        assert plain != eight
        (shown,) = [one for one in (await host.get("/models"))["models"] if one["name"] == "tiny-flux"]
        assert shown["profile"] == "fast+fp8" and shown["options"]["quantise"] == ["fp8"]
        with pytest.raises(ProviderError, match="int4: this machine can do fp8"):
            await made(host, "tiny-flux", asked(params={"quantise": "int4"}), tmp_path)
        peaks = json.loads(await asyncio.to_thread((tmp_path / "home/peaks.json").read_text))
        assert {key.split()[1] for key in peaks} == {"fast", "fast+fp8"}
        memory = await host.get("/memory")
        assert memory["devices"][0]["measured"] > 0
    async with engine_host(tmp_path / "home", *options) as host:
        await made(host, "tiny-flux", asked(), tmp_path)
        (held,) = (await host.get("/memory"))["resident"]
        assert held["bytes"] >= min(one["most"] for one in peaks.values())


async def test_what_never_fits_is_507_at_once(tmp_path: Path) -> None:
    async with engine_host(tmp_path / "home", "--device", "fake", "--fake-bytes", "500000000") as host:
        with pytest.raises(ProviderError, match="needs 1000000000 bytes, 500000000 can be had") as caught:
            await host.model("demo").submit(asked(), "k", tmp_path)
        assert caught.value.error_class is ErrorClass.MODEL_GONE
