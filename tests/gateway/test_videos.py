"""`/v1/videos` by the official client: jobs that go on without it."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path

import openai
import pytest

from providers.errors import ErrorClass, ProviderError
from providers.media.types import Task
from tests.core.media.made import video
from tests.jobs import studio
from tests.mcp.site import Studio, shop  # noqa: F401

pytestmark = pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")


@pytest.fixture
async def client(shop: Studio, tmp_path: Path) -> AsyncIterator[openai.AsyncOpenAI]:  # noqa: F811
    shop.two.body = video(tmp_path / "made.mp4").read_bytes()
    async with openai.AsyncOpenAI(base_url=shop.site.base, api_key=shop.key, max_retries=0) as client:
        yield client


async def test_from_a_picture_to_a_file(shop: Studio, client: openai.AsyncOpenAI) -> None:  # noqa: F811
    shop.hold()
    begun = await client.videos.create(
        model="videos", prompt="waves", seconds="4", size="1280x720", input_reference=studio.picture()
    )
    assert (begun.status, begun.progress, begun.model, begun.seconds) == ("queued", 0, "videos", "4")
    with pytest.raises(openai.NotFoundError, match="not ready"):
        await client.videos.download_content(begun.id)
    shop.go()
    await shop.until(begun.id, "done")
    done = await client.videos.retrieve(begun.id)
    assert (done.status, done.progress, done.size, done.prompt) == ("completed", 100, "96x64", "waves")
    assert done.completed_at and not done.error
    content = await (await client.videos.download_content(begun.id)).aread()
    assert content[4:8] == b"ftyp"
    poster = await (await client.videos.download_content(begun.id, variant="thumbnail")).aread()
    assert poster.startswith(b"\xff\xd8\xff")
    _, _, request = shop.two.submits[0]
    assert (request.task, request.seconds, request.width) == (Task.IMAGE_TO_VIDEO, 5.0, 1280)


async def test_listed_and_deleted(shop: Studio, client: openai.AsyncOpenAI) -> None:  # noqa: F811
    ids = []
    for prompt in ("one", "two", "three"):
        ids.append((await client.videos.create(model="videos", prompt=prompt)).id)
        await shop.until(ids[-1], "done")
    await client.images.generate(model="images", prompt="a picture is no video")
    page = await client.videos.list(limit=2)
    assert [one.id for one in page.data] == ids[:0:-1] and page.has_more
    assert [one.id async for one in client.videos.list(limit=2)] == ids[::-1]
    gone = await client.videos.delete(ids[0])
    assert gone.deleted and gone.id == ids[0]
    with pytest.raises(openai.NotFoundError):
        await client.videos.retrieve(ids[0])
    files = [one for one in shop.site.services.settings.home.rglob("media/**/*.mp4")]
    assert len(files) == 2


async def test_deleting_what_runs_cancels_it(shop: Studio, client: openai.AsyncOpenAI) -> None:  # noqa: F811
    shop.two.step_seconds = 30
    begun = await client.videos.create(model="videos", prompt="x")
    await shop.until(begun.id, "running")
    await client.videos.delete(begun.id)
    await shop.until(begun.id, "cancelled")
    shown = await client.videos.retrieve(begun.id)
    assert shown.status == "failed" and shown.error and shown.error.code == "cancelled"


async def test_failures_and_mistakes(shop: Studio, client: openai.AsyncOpenAI) -> None:  # noqa: F811
    shop.two.fails = [ProviderError(ErrorClass.CONTENT, "policy")]
    begun = await client.videos.create(model="two:clip", prompt="x")
    await shop.until(begun.id, "failed")
    failed = await client.videos.retrieve(begun.id)
    assert failed.status == "failed" and failed.error and failed.error.code == "content_filter"
    with pytest.raises(openai.BadRequestError):
        await client.videos.download_content(begun.id)
    for fields, param in (
        ({"model": "images"}, "model"), ({"seconds": "-4"}, "seconds"), ({"seconds": "nan"}, "seconds"),
        ({"size": "0x0"}, "size"), ({"input_reference": b"no picture"}, "input_reference"),
        ({"prompt": ""}, "prompt"), ({"prompt": "x" * 1_000_000}, "prompt"),
    ):  # fmt: skip
        with pytest.raises(openai.BadRequestError) as bad:
            await client.videos.create(**{"model": "videos", "prompt": "x", **fields})
        assert bad.value.param == param, bad.value.message
    with pytest.raises(openai.NotFoundError, match="Did you mean videos"):
        await client.videos.create(model="video", prompt="x")
    assert len(await shop.jobs()) == 1


async def test_a_key_sees_its_own_only(shop: Studio, client: openai.AsyncOpenAI) -> None:  # noqa: F811
    begun = await client.videos.create(model="videos", prompt="mine")
    await shop.until(begun.id, "done")
    other = client.with_options(api_key=await shop.site.make_key())
    for call in (other.videos.retrieve, other.videos.download_content, other.videos.delete):
        with pytest.raises(openai.NotFoundError):
            await call(begun.id)
    assert [one async for one in other.videos.list()] == []
    with pytest.raises(openai.AuthenticationError):
        await client.with_options(api_key="sk-by-none").videos.retrieve(begun.id)
    picture = await shop.api("POST", "/media/jobs", {"model": "images", "prompt": "x"})
    with pytest.raises(openai.NotFoundError):
        await client.videos.retrieve(picture[1]["id"])


async def test_json_bodies_too(shop: Studio, client: openai.AsyncOpenAI) -> None:  # noqa: F811
    data = "data:image/png;base64," + base64.b64encode(studio.picture()).decode()
    url, headers = f"{shop.site.base}/videos", shop.site.headers()
    for address, status in ((data, 200), ("https://example.org/a.png", 400), (7, 400)):
        body = {"prompt": "x", "seconds": 1, "input_reference": {"image_url": address}}
        async with shop.site.client.post(url, json=body, headers=headers) as answer:
            found = await answer.json()
            assert answer.status == status, found
    begun = await client.videos.create(prompt="x", extra_body={"input_reference": {"image_url": data}})
    await shop.until(begun.id, "done")
    assert [request.task for _, _, request in shop.two.submits] == [Task.IMAGE_TO_VIDEO] * 2


async def test_addresses_that_are_none(shop: Studio) -> None:  # noqa: F811
    site = shop.site
    for method, path, status in (
        ("GET", "/videos/none", 404), ("GET", "/videos/none/other", 404), ("PUT", "/videos", 405),
        ("DELETE", "/videos/none/content", 405), ("GET", "/videos?limit=0", 400),
        ("GET", "/videos?limit=%D9%A1", 400), ("GET", "/videos?after=" + "x" * 900, 200),
        ("GET", "/videos/" + "x" * 900, 404), ("DELETE", "/videos/none", 404), ("GET", "/videos/%00", 404),
    ):  # fmt: skip
        async with site.client.request(method, site.base + path, headers=site.headers()) as answer:
            found = json.loads(await answer.read())
            assert answer.status == status, (path, found)
