"""The engine host with its fake engine: real processes, real HTTP, real kill -9."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from providers.errors import ErrorClass, ProviderError
from providers.media.cards import BadMediaRequest
from providers.media.types import EngineDied, MediaInput, MediaRequest, Progress, Task
from tests.engine.hosts import Host, engine_host
from tests.jobs.studio import picture

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def host(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Host]:
    async with engine_host(tmp_path_factory.mktemp("engine"), "--device", "fake", "--silent", "2") as host:
        yield host


def asked(prompt: str = "a harbour", **values: object) -> MediaRequest:
    params = {"steps": 4, "step_seconds": 0.0, **values.pop("params", {})}  # type: ignore[dict-item]
    fields = {"width": 96, "height": 64, "seed": 7, **values}
    return MediaRequest(fields.pop("task", Task.TEXT_TO_IMAGE), prompt, params=params, **fields)  # type: ignore[arg-type]


async def made(
    host: Host, request: MediaRequest, folder: Path, key: str = ""
) -> tuple[list[bytes], list[Progress]]:
    model = host.model()
    handle = await model.submit(request, key or os.urandom(8).hex(), folder)
    seen = [progress async for progress in model.watch(handle)]
    result = await model.fetch(handle, folder)
    bodies = [one.path.read_bytes() for one in result.files]
    await model.discard(handle)
    return bodies, seen


async def test_the_same_seed_is_the_same_picture(host: Host, tmp_path: Path) -> None:
    first, seen = await made(host, asked(), tmp_path)
    second, _ = await made(host, asked(), tmp_path)
    other, _ = await made(host, asked(seed=8), tmp_path)
    assert first == second != other
    assert first[0].startswith(b"\x89PNG")
    assert {one.phase for one in seen} <= {"waiting", "loading", "running", "saving"}


async def test_several_pictures_previews_and_a_clip(host: Host, tmp_path: Path) -> None:
    bodies, seen = await made(host, asked(count=3, params={"step_seconds": 0.4}), tmp_path)
    assert len(set(bodies)) == 3
    assert any(one.preview and one.preview.startswith(b"\xff\xd8") for one in seen)
    assert max(one.fraction or 0 for one in seen) == 1.0
    (clip,), _ = await made(host, asked(task=Task.TEXT_TO_VIDEO, seconds=1.0), tmp_path)
    assert clip[4:8] == b"ftyp"


async def test_a_picture_is_changed(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "given.png"
    path.write_bytes(picture(80, 60))
    request = asked("in winter", task=Task.IMAGE_TO_IMAGE, inputs=(MediaInput(path, "image/png"),))
    (body,), _ = await made(host, request, tmp_path)
    assert body.startswith(b"\x89PNG")


async def test_the_same_key_is_the_same_job(host: Host, tmp_path: Path) -> None:
    model = host.model()
    handles = [await model.submit(asked(), "one-key", tmp_path) for _ in range(3)]
    assert handles[0] == handles[1] == handles[2]


async def test_a_crash_is_told_and_the_next_job_runs(host: Host, tmp_path: Path) -> None:
    with pytest.raises(EngineDied, match="signal 9"):
        await made(host, asked("!crash"), tmp_path)
    assert (await made(host, asked(), tmp_path))[0]


async def test_a_hang_is_ended(host: Host, tmp_path: Path) -> None:
    with pytest.raises(EngineDied):
        await made(host, asked("!hang"), tmp_path)
    assert (await made(host, asked(), tmp_path))[0]


async def test_too_little_memory_is_tried_once_more_sparingly(host: Host, tmp_path: Path) -> None:
    assert (await made(host, asked("!memory"), tmp_path))[0]
    with pytest.raises(ProviderError) as caught:
        await made(host, asked("!memory!"), tmp_path)
    assert caught.value.error_class is ErrorClass.OVERLOAD


async def test_the_ladder_of_profiles_has_an_end_and_is_gone_down_once(tmp_path: Path) -> None:
    async with engine_host(tmp_path / "home") as host:

        async def loads() -> int:
            history = (await host.get("/memory"))["history"]
            return sum(one["event"] == "reserved" for one in history)

        with pytest.raises(ProviderError):
            await made(host, asked("!memory!"), tmp_path)
        assert await loads() == 4
        with pytest.raises(ProviderError):
            await made(host, asked("!memory!"), tmp_path)
        assert await loads() == 4  # it stays with the last one
        assert (await made(host, asked(), tmp_path))[0]


@pytest.mark.parametrize(
    ("prompt", "kind"), [("!moderate", ErrorClass.CONTENT), ("!error", ErrorClass.EMPTY)]
)
async def test_failures_by_their_class(host: Host, tmp_path: Path, prompt: str, kind: ErrorClass) -> None:
    with pytest.raises(ProviderError) as caught:
        await made(host, asked(prompt), tmp_path)
    assert caught.value.error_class is kind


@pytest.mark.parametrize("phase", ["waiting", "running"])
async def test_cancelling(host: Host, tmp_path: Path, phase: str) -> None:
    model = host.model()
    first = await model.submit(
        asked(params={"steps": 40, "step_seconds": 0.1}), os.urandom(8).hex(), tmp_path
    )
    handle = first
    if phase == "waiting":
        handle = await model.submit(asked(), os.urandom(8).hex(), tmp_path)
    else:
        async for progress in model.watch(first):
            if progress.step:
                break
    began = asyncio.get_running_loop().time()
    await model.cancel(handle)
    with pytest.raises(ProviderError, match="cancelled"):
        async for _ in model.watch(handle):
            pass
    assert asyncio.get_running_loop().time() - began < 2
    await model.cancel(first)
    assert (await made(host, asked(), tmp_path))[0]


@pytest.mark.parametrize(
    ("values", "field"),
    [({"width": 0}, "width"), ({"height": 100_000}, "height"), ({"prompt": "x" * 1_000_000}, "prompt"),
     ({"params": {"steps": 900}}, "steps"), ({"count": 99}, "count")],
)  # fmt: skip
async def test_bad_requests(host: Host, tmp_path: Path, values: dict[str, object], field: str) -> None:
    with pytest.raises(BadMediaRequest) as caught:
        await made(host, asked(**values), tmp_path)  # type: ignore[arg-type]
    assert caught.value.field == field


async def test_what_is_no_picture_is_no_input(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"not a picture")
    with pytest.raises(ProviderError, match="not a PNG"):
        await made(host, asked(task=Task.IMAGE_TO_IMAGE, inputs=(MediaInput(path, "image/png"),)), tmp_path)


async def test_the_token_is_needed(host: Host) -> None:
    for key in ("", "wrong"):
        with pytest.raises(ProviderError) as caught:
            await host.provider.call("GET", "/models", key)
        assert caught.value.error_class is ErrorClass.CREDENTIAL


async def test_unknown_models_and_jobs(host: Host, tmp_path: Path) -> None:
    with pytest.raises(ProviderError) as caught:
        await host.model("nothing").submit(asked(), "k", tmp_path)
    assert caught.value.error_class is ErrorClass.MODEL_GONE
    with pytest.raises(ProviderError) as caught:
        await host.get("/jobs/nobody")
    assert caught.value.error_class is ErrorClass.TRANSIENT


async def test_the_memory_shows_who_is_there(host: Host, tmp_path: Path) -> None:
    await made(host, asked(), tmp_path)
    memory = await host.get("/memory")
    assert [one["model"] for one in memory["resident"]] == ["demo"]
    assert memory["devices"][0]["reserved"] == 1_000_000_000
    assert {"reserved", "died", "released"} <= {one["event"] for one in memory["history"]}
    await host.post("/models/demo/pin")
    assert (await host.get("/memory"))["resident"][0]["pinned"]
    await host.post("/models/demo/unpin")
    await host.post("/models/demo/unload")
    assert (await host.get("/memory"))["resident"] == []


async def test_a_killed_host_leaves_no_process_and_is_told_again(tmp_path: Path) -> None:
    async with engine_host(tmp_path / "home") as host:
        model = host.model()
        slow = asked(params={"steps": 40, "step_seconds": 0.1})
        handle = await model.submit(slow, "k1", tmp_path)
        async for progress in model.watch(handle):
            if progress.step:
                break
        assert host.process is not None
        family = psutil.Process(host.process.pid).children(recursive=True)
        assert len(family) == 2
        os.kill(host.process.pid, signal.SIGKILL)
        await host.process.wait()
        with pytest.raises(ProviderError):
            async for _ in model.watch(handle):
                pass
        gone, alive = psutil.wait_procs(family, 5)
        assert not alive, alive
        await host.start()
        with pytest.raises(ProviderError):
            async for _ in model.watch(handle):
                pass
        again = await model.submit(asked(), "k1", tmp_path)
        assert all([one.phase in ("waiting", "loading", "running") async for one in model.watch(again)])


async def test_a_model_that_does_not_fit_is_refused_with_numbers(tmp_path: Path) -> None:
    async with engine_host(tmp_path / "home", "--device", "fake", "--fake-bytes", "500000000") as host:
        with pytest.raises(ProviderError, match="needs 1000000000 bytes, 500000000 can be had"):
            await made(host, asked(), tmp_path)
