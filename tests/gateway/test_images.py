"""`/v1/images` by the official client: durable jobs behind it, errors in OpenAI's shape."""

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator

import aiohttp
import openai
import pytest

from providers.errors import ErrorClass, ProviderError
from providers.media.types import Task
from tests.jobs import studio
from tests.mcp.site import Studio, shop  # noqa: F401

PICTURE = studio.picture()


@pytest.fixture
async def client(shop: Studio) -> AsyncIterator[openai.AsyncOpenAI]:  # noqa: F811
    async with openai.AsyncOpenAI(base_url=shop.site.base, api_key=shop.key, max_retries=0) as client:
        yield client


async def test_a_picture_by_its_address_and_as_base64(shop: Studio, client: openai.AsyncOpenAI) -> None:  # noqa: F811
    made = await client.images.generate(model="images", prompt="a harbour", size="512x256", n=2, quality="hd")
    assert made.data and made.data[0].url and made.created > 1_700_000_000
    assert (await shop.read(made.data[0].url)).startswith(b"\x89PNG")
    _, _, request = shop.one.submits[0]
    assert (request.width, request.height, request.count, request.params) == (512, 256, 2, {"quality": "hd"})
    whole = await client.images.generate(model="one:fast", prompt="x", response_format="b64_json")
    assert whole.data and base64.b64decode(whole.data[0].b64_json or "").startswith(b"\x89PNG")
    rows = await shop.jobs()
    assert {(row.status, row.source, bool(row.key_id)) for row in rows} == {("done", "api", True)}


async def test_a_hint_counts_where_every_model_knows_it(shop: Studio, client: openai.AsyncOpenAI) -> None:  # noqa: F811
    await client.images.generate(model="fallback", prompt="x", quality="hd", style="vivid")
    await client.images.generate(model="images", prompt="x", quality="auto", style="vivid")
    assert [request.params for _, _, request in shop.one.submits] == [{}, {"style": "vivid"}]


async def test_edits_with_several_pictures_and_a_mask(shop: Studio, client: openai.AsyncOpenAI) -> None:  # noqa: F811
    await client.images.edit(model="images", prompt="winter", image=[PICTURE, studio.picture(shade=9)])
    _, _, request = shop.one.submits[0]
    assert request.task is Task.IMAGE_TO_IMAGE and [one.role for one in request.inputs] == ["image", "image"]
    await client.images.edit(
        model="two:fine", prompt="a boat", image=PICTURE, mask=PICTURE, size="64x64", n=1
    )
    _, _, request = shop.two.submits[0]
    assert request.task is Task.INPAINT and [one.role for one in request.inputs] == ["image", "mask"]


async def test_mistakes_name_their_field(shop: Studio, client: openai.AsyncOpenAI) -> None:  # noqa: F811
    make, edit = client.images.generate, client.images.edit
    for call, param, code in (
        (make(model="images", prompt="x", size="0x0"), "size", "invalid_value"),  # type: ignore[call-overload]
        (make(model="images", prompt="x", size="100000x64"), "size", "invalid_value"),  # type: ignore[call-overload]
        (make(model="images", prompt="x", size="2048x2048"), "size", "invalid_value"),  # type: ignore[call-overload]
        (make(model="images", prompt="x", n=9), "n", "invalid_value"),
        (make(model="images", prompt="x", n=0), "n", "invalid_value"),
        (make(model="images", prompt="x" * 1_000_000), "prompt", "string_above_max_length"),
        (make(model="images", prompt=" "), "prompt", "missing_required_parameter"),
        (make(model="images", prompt="a\0b"), "prompt", "invalid_value"),
        (make(model="images", prompt="x", quality="low"), "quality", "invalid_value"),
        (make(model="images", prompt="x", extra_body={"params": {"no": 1}}), "no", "unsupported_parameter"),
        (make(model="images", prompt="x", extra_body={"preset": "none"}), "preset", "unsupported_parameter"),
        (make(model="videos", prompt="x"), "model", "unsupported"),
        (edit(model="images", prompt="x", image=b"<html>"), "image", "invalid_image"),
        (edit(model="images", prompt="x", image=PICTURE, mask=PICTURE), "task", "unsupported"),
    ):  # fmt: skip
        with pytest.raises(openai.BadRequestError) as bad:
            await call
        assert (bad.value.param, bad.value.code) == (param, code), bad.value.message
    assert not await shop.jobs() and not shop.one.submits


async def test_unknown_models_and_keys(shop: Studio, client: openai.AsyncOpenAI) -> None:  # noqa: F811
    for name in ("imagse", "one:fsat", "three:fast", "empty:", "\x07"):
        with pytest.raises(openai.NotFoundError) as missing:
            await client.images.generate(model=name, prompt="x")
        assert missing.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError, match="Did you mean images"):
        await client.images.generate(model="imagse", prompt="x")
    with pytest.raises(openai.InternalServerError):
        await client.images.generate(model="empty", prompt="x")
    with pytest.raises(openai.AuthenticationError):
        await client.with_options(api_key="sk-by-none").images.generate(model="images", prompt="x")
    narrow = await shop.site.make_key(models=False)
    with pytest.raises(openai.PermissionDeniedError, match="images"):
        await client.with_options(api_key=narrow).images.generate(model="one:fast", prompt="x")


async def test_over_a_limit_is_429_and_use_is_counted_once(shop: Studio, client: openai.AsyncOpenAI) -> None:  # noqa: F811
    await shop.limit()
    await client.images.generate(model="images", prompt="x")
    with pytest.raises(openai.RateLimitError) as over:
        await client.images.generate(model="images", prompt="x")
    assert over.value.code == "limit_reached"
    other = client.with_options(api_key=await shop.site.make_key())
    assert (await other.images.generate(model="images", prompt="x")).data


async def test_what_models_refuse(shop: Studio, client: openai.AsyncOpenAI) -> None:  # noqa: F811
    shop.one.fails = [ProviderError(ErrorClass.CONTENT, "policy: secret words of the vendor")]
    with pytest.raises(openai.BadRequestError) as refused:
        await client.images.generate(model="images", prompt="x")
    assert refused.value.code == "content_filter" and "secret" not in refused.value.message
    shop.one.fails = [ProviderError(ErrorClass.QUOTA, "no money")]
    shop.two.fails = [ProviderError(ErrorClass.CREDENTIAL, "bad key")]
    with pytest.raises(openai.InternalServerError) as failed:
        await client.images.generate(model="fallback", prompt="x")
    assert (failed.value.status_code, failed.value.code) == (503, "all_models_failed")
    assert failed.value.response.headers["x-should-retry"] == "false"


async def test_a_client_that_leaves_ends_its_job(shop: Studio) -> None:  # noqa: F811
    shop.one.step_seconds = 30
    body = {"model": "images", "prompt": "x"}
    url, headers = f"{shop.site.base}/images/generations", shop.site.headers()
    async with aiohttp.ClientSession() as session:
        waiting = asyncio.create_task(session.post(url, json=body, headers=headers))
        async with asyncio.timeout(5):
            while not shop.one.submits:
                await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    (row,) = await shop.jobs()
    assert (await shop.until(row.id, "cancelled")).reason == "cancelled"
    assert shop.one.cancelled


async def test_who_has_named_a_key_comes_back(shop: Studio) -> None:  # noqa: F811
    shop.hold()
    body = {"model": "images", "prompt": "x"}
    headers = {**shop.site.headers(), "Idempotency-Key": "abc"}
    url = f"{shop.site.base}/images/generations"
    async with aiohttp.ClientSession() as session:
        waiting = asyncio.create_task(session.post(url, json=body, headers=headers))
        async with asyncio.timeout(5):
            while not await shop.jobs():
                await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    shop.go()
    async with shop.site.client.post(url, json=body, headers=headers) as answer:
        assert answer.status == 200 and len((await answer.json())["data"]) == 1
    async with shop.site.client.post(url, json={**body, "prompt": "y"}, headers=headers) as other:
        assert (other.status, (await other.json())["error"]["code"]) == (409, "idempotency_key_reused")
    assert len(await shop.jobs()) == 1 and len(shop.one.submits) == 1


async def test_bodies_that_are_none(shop: Studio) -> None:  # noqa: F811
    post, site = shop.site.client.post, shop.site
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    for path, body, headers, status in (
        ("generations", b"{", {}, 400),
        ("generations", b'["a"]', {}, 400),
        ("generations", b'{"prompt": "\\ud800", "model": "images"}', {}, 400),
        ("generations", b'{"prompt": {"a": 1}}', {}, 400),
        ("generations", b'{"prompt": "x", "stream": true}', {}, 400),
        ("generations", b'{"prompt": "x", "params": {"style": ["a"]}}', {}, 400),
        ("generations", b'{"prompt": "x", "seed": 1e400}', {}, 400),
        ("generations", b"x" * (50 << 20), {}, 413),
        ("edits", b"x" * (50 << 20), form, 413),
        ("edits", b"nothing of a form", form, 400),
        ("edits", b"x", {"Content-Type": "multipart/form-data"}, 400),
        ("edits", b'{"prompt": "x", "image": "https://example.org/a.png"}', {}, 400),
        ("edits", b'{"prompt": "x", "image": "data:image/png;base64,=="}', {}, 400),
        ("edits", b'{"prompt": "x"}', {}, 400),
        ("others", b"{}", {}, 404),
    ):  # fmt: skip
        async with post(
            f"{site.base}/images/{path}", data=io.BytesIO(body), headers={**site.headers(), **headers}
        ) as answer:
            found = json.loads(await answer.read())
            assert answer.status == status, (path, body[:40], found)
            assert set(found["error"]) == {"message", "type", "param", "code"}
    async with site.client.get(f"{site.base}/images/edits", headers=site.headers()) as answer:
        assert answer.status == 405
    assert not await shop.jobs()


async def test_what_nobody_makes_is_refused(shop: Studio, client: openai.AsyncOpenAI) -> None:  # noqa: F811
    with pytest.raises(openai.BadRequestError) as caught:
        await client.images.generate(model="images", prompt="undress her")
    assert caught.value.code == "content_filter"
