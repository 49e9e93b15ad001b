"""An engine host that answers nonsense, and results that cannot be written: errors that are told."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from providers.errors import ErrorClass, ProviderError
from providers.media.engine import EngineHost, EngineModel
from providers.media.types import MediaInput, MediaRequest, Task
from providers.types import ProviderConfig

pytestmark = pytest.mark.asyncio
HANDLE = {"id": "one"}


class Told:
    """What the host says next."""

    events = b""
    json: Any = None


@pytest.fixture
async def host() -> AsyncIterator[tuple[Told, EngineModel]]:
    told = Told()

    async def answer(request: web.Request) -> web.Response:
        if request.path.endswith("/events"):
            return web.Response(body=told.events, content_type="text/event-stream")
        if request.path.startswith("/outputs/"):
            return web.Response(body=b"\x89PNG\r\n\x1a\n" * 10_000)
        return web.json_response(told.json)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    provider = EngineHost(ProviderConfig("engine", "engine", url, ("key",)))
    yield told, provider.model("demo", "key")
    await provider.close()
    await runner.cleanup()


@pytest.mark.parametrize(
    "events",
    [b'data: {"state": "runn', b"data: []\n\n", b'data: {"no": "state"}\n\n', b"data: 5\n\n",
     b'data: {"state": "running", "preview": "!"}\n\n', b"data: " + b"x" * 300_000 + b"\n\n"],
)  # fmt: skip
async def test_events_without_sense(host: tuple[Told, EngineModel], events: bytes) -> None:
    told, model = host
    told.events = events
    with pytest.raises(ProviderError) as caught:
        async for _ in model.watch(HANDLE):
            pass
    assert caught.value.error_class in (ErrorClass.TRANSIENT, ErrorClass.CONNECT)


@pytest.mark.parametrize("json", [[], 5, {}, {"outputs": [5]}, {"outputs": [{}], "settings": 5}])
async def test_answers_without_sense(host: tuple[Told, EngineModel], tmp_path: Path, json: Any) -> None:
    told, model = host
    told.json = json
    request = MediaRequest(Task.TEXT_TO_IMAGE, "x")
    for call in (
        model.submit(request, "k", tmp_path), model.fetch(HANDLE, tmp_path), model.discard(HANDLE),
    ):  # fmt: skip
        with pytest.raises(ProviderError) as caught:
            await call
        assert caught.value.error_class is ErrorClass.TRANSIENT


async def test_a_result_that_cannot_be_written_says_so_and_leaves_nothing(
    host: tuple[Told, EngineModel], tmp_path: Path
) -> None:
    told, model = host
    told.json = {"outputs": [{"id": "one-0"}]}
    with pytest.raises(ProviderError, match="cannot be written here: No such file") as caught:
        await model.fetch(HANDLE, tmp_path / "gone")
    assert caught.value.error_class is ErrorClass.CALLER
    await asyncio.to_thread((tmp_path / "made-0.png").mkdir)
    with pytest.raises(ProviderError, match="cannot be written here"):
        await model.fetch(HANDLE, tmp_path)
    assert not (tmp_path / "made-0.part").exists()
    gone = MediaInput(tmp_path / "no.png", "image/png")
    with pytest.raises(ProviderError, match="an input of role image cannot be read"):
        await model.submit(MediaRequest(Task.IMAGE_TO_IMAGE, "x", inputs=(gone,)), "k", tmp_path)
