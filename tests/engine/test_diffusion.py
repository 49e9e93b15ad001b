"""Real diffusers pipelines with tiny random weights, through a real engine host on the CPU."""

import asyncio
import io
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image

from providers.errors import ErrorClass, ProviderError
from providers.media.types import MediaInput, MediaRequest, Progress, Task
from tests.engine.hosts import ROOT, Host, engine_host
from tests.jobs.studio import picture

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
PYTHON = ROOT / ".venv-diffusers/bin/python"
MODELS = ROOT / ".cache/tiny"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def host(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Host]:
    if not PYTHON.exists():
        pytest.fail("no .venv-diffusers: run `python orchestrator.py engines install diffusers`")
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    built = [str(PYTHON), str(ROOT / "tests/engine/tiny.py"), str(MODELS)]
    await asyncio.to_thread(subprocess.run, built, check=True, env=environ, capture_output=True)
    home = tmp_path_factory.mktemp("engine")
    options = ("--device", "cpu", "--models", str(MODELS), "--diffusers", str(PYTHON))
    async with engine_host(home, *options) as host:
        yield host


def asked(prompt: str = "a red cat", **values: object) -> MediaRequest:
    params = {"steps": 4, **values.pop("params", {})}  # type: ignore[dict-item]
    fields = {"width": 64, "height": 64, "seed": 1, **values}
    return MediaRequest(fields.pop("task", Task.TEXT_TO_IMAGE), prompt, params=params, **fields)  # type: ignore[arg-type]


async def made(
    host: Host, name: str, request: MediaRequest, folder: Path
) -> tuple[list[bytes], list[Progress]]:
    model = host.model(name)
    handle = await model.submit(request, os.urandom(8).hex(), folder)
    seen = [progress async for progress in model.watch(handle)]
    result = await model.fetch(handle, folder)
    return [one.path.read_bytes() for one in result.files], seen


@pytest.mark.parametrize("name", ["tiny-sd", "tiny-flux"])
async def test_the_same_seed_is_the_same_pixels(host: Host, tmp_path: Path, name: str) -> None:
    (first,), seen = await made(host, name, asked(), tmp_path)
    (second,), _ = await made(host, name, asked(), tmp_path)
    (other,), _ = await made(host, name, asked(seed=2), tmp_path)
    assert first == second != other
    assert Image.open(io.BytesIO(first)).size == (64, 64)
    assert max(one.step for one in seen) == 4 or seen[-1].phase in ("running", "saving")


async def test_a_clip_of_wan(host: Host, tmp_path: Path) -> None:
    request = asked(task=Task.TEXT_TO_VIDEO, seconds=0.5, params={"steps": 2})
    (clip,), _ = await made(host, "tiny-wan", request, tmp_path)
    (again,), _ = await made(host, "tiny-wan", request, tmp_path)
    assert clip[4:8] == b"ftyp" and clip == again


async def test_pictures_are_changed_and_painted_into(host: Host, tmp_path: Path) -> None:
    given = tmp_path / "given.png"
    given.write_bytes(picture(64, 64))
    inputs = (MediaInput(given, "image/png"),)
    request = asked(task=Task.IMAGE_TO_IMAGE, inputs=inputs, strength=0.5)
    (changed,), _ = await made(host, "tiny-sd", request, tmp_path)
    assert changed.startswith(b"\x89PNG")
    masked = (*inputs, MediaInput(given, "image/png", "mask"))
    request = asked(task=Task.INPAINT, inputs=masked)
    (painted,), _ = await made(host, "tiny-sd", request, tmp_path)
    assert painted != changed


async def test_a_picture_bomb_is_refused_and_the_next_job_runs(host: Host, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(picture(1, 1).replace(b"\0\0\0\1\0\0\0\1", b"\0\0\x7f\xff\0\0\x7f\xff"))
    request = asked(task=Task.IMAGE_TO_IMAGE, inputs=(MediaInput(bomb, "image/png"),))
    with pytest.raises(ProviderError) as caught:
        await made(host, "tiny-sd", request, tmp_path)
    assert caught.value.error_class is ErrorClass.CALLER
    assert (await made(host, "tiny-sd", asked(), tmp_path))[0]


async def test_cancelling_within_a_step_leaves_the_model_usable(host: Host, tmp_path: Path) -> None:
    model = host.model("tiny-sd")
    handle = await model.submit(asked(params={"steps": 100}), "cancel-me", tmp_path)
    async for progress in model.watch(handle):
        if progress.step:
            break
    began = time.monotonic()
    await model.cancel(handle)
    with pytest.raises(ProviderError, match="cancelled"):
        async for _ in model.watch(handle):
            pass
    assert time.monotonic() - began < 2
    assert (await made(host, "tiny-sd", asked(), tmp_path))[0]


async def test_a_model_with_code_or_pickles_is_not_loaded(host: Host, tmp_path: Path) -> None:
    for name, file in (("evil-code", "pipeline.py"), ("evil-pickle", "unet/weights.bin")):
        folder = MODELS.parent / "tiny" / name
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
        (folder / file).write_bytes(b"import os")
        with pytest.raises(ProviderError, match="code"):
            await host.model(name).submit(asked(), "k", tmp_path)


async def test_a_lora_that_is_not_there(host: Host, tmp_path: Path) -> None:
    with pytest.raises(ProviderError, match="no LoRA"):
        await made(host, "tiny-sd", asked(params={"lora": "nobody:0.5"}), tmp_path)
    with pytest.raises(ProviderError, match="not a LoRA"):
        await made(host, "tiny-sd", asked(params={"lora": "../../etc/passwd"}), tmp_path)


async def test_a_worker_from_a_warm_parent_is_ready_at_once(host: Host, tmp_path: Path) -> None:
    await made(host, "tiny-sd", asked(), tmp_path)
    await host.post("/models/tiny-sd/unload")
    began = time.monotonic()
    await host.post("/models/tiny-sd/load")
    assert time.monotonic() - began < 5  # about 0.5 s on a quiet machine; docs/benchmarks.md


async def test_the_host_itself_never_imports_torch() -> None:
    code = "import sys, providers.engine.__main__; sys.exit('torch' in sys.modules)"
    run = await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=ROOT)
    assert await run.wait() == 0
