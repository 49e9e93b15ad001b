"""Fetching results: redirects, sizes, kinds, broken connections, and a disk that takes nothing."""

import gzip
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from providers.errors import ErrorClass, ProviderError
from providers.media.download import Files, Remote, Wanted
from providers.media.kinds import mime_of
from providers.types import ProviderConfig
from tests.fakes.media_vendor import clip, picture
from tests.providers.media.cases import names
from tests.providers.test_adapters import Handler, served

KEY = {"Authorization": "Bearer sk-secret"}


@asynccontextmanager
async def files(url: str, *near: str, **options: Any) -> AsyncIterator[Files]:
    """Results of a provider at an address."""
    hosts = [one.removeprefix("http://") for one in near]
    made = Files(ProviderConfig("v", "bfl", url, (), {"result_hosts": hosts, **options}), url)
    try:
        yield made
    finally:
        await made.close()


def gives(body: bytes, **more: Any) -> Handler:
    """A server that answers everything alike."""

    async def reply(_request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, **more)

    return reply


def moves(place: str, status: int = 302) -> Handler:
    """One that sends everybody away."""

    async def reply(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": place or str(request.url)})

    return reply


async def _fails(handler: Handler, folder: Path, **options: Any) -> ProviderError:
    async with served(handler) as url, files(url, **options) as found:
        with pytest.raises(ProviderError) as caught:
            await found.fetch(Remote(f"{url}/a", KEY), Wanted(folder, "r"))
    assert names(folder) == []
    return caught.value


@pytest.mark.parametrize(
    ("data", "mime"),
    [
        (picture(), "image/png"), (picture(kind="JPEG"), "image/jpeg"), (picture(kind="WEBP"), "image/webp"),
        (picture(kind="GIF"), "image/gif"), (clip(), "video/mp4"),
        (b"\x1aE\xdf\xa3\x01\0\0\0\0\0\0\x1fB\x86\x81\x01B\xf7\x81\x01B\x82\x84webm", "video/webm"),
        (b"\0\0\0\x1cftypavif" + b"\0" * 40, ""),
        (b"<svg/>", ""), (b"%PDF-1.7", ""), (b"", ""), (b"GIF8", ""),
    ],
)  # fmt: skip
async def test_a_file_is_what_its_first_bytes_say(data: bytes, mime: str, tmp_path: Path) -> None:
    assert mime_of(data[:64]) == mime
    makes = mime.partition("/")[0] or "image"
    async with served(gives(data, content_type="image/png")) as url, files(url) as found:
        if mime:
            made = await found.fetch(Remote(f"{url}/a"), Wanted(tmp_path, "r", makes))
            assert made.mime == mime and made.path.read_bytes() == data
        else:
            with pytest.raises(ProviderError, match="empty"):
                await found.fetch(Remote(f"{url}/a"), Wanted(tmp_path, "r", makes))
    assert len(names(tmp_path)) == bool(mime)


async def test_a_picture_is_no_video(tmp_path: Path) -> None:
    async with served(gives(picture())) as url, files(url) as found:
        with pytest.raises(ProviderError, match="should be video and is image/png"):
            await found.fetch(Remote(f"{url}/a"), Wanted(tmp_path, "r", "video"))


async def test_a_redirect_is_followed_without_the_key(tmp_path: Path) -> None:
    seen: list[Any] = []

    async def store(request: web.Request) -> web.StreamResponse:
        seen.append(dict(request.headers))
        return web.Response(body=picture())

    async with served(store) as away, served(moves(f"{away}/b")) as url, files(url, away) as found:
        assert (await found.fetch(Remote(f"{url}/a", KEY), Wanted(tmp_path, "r"))).mime == "image/png"
    (headers,) = seen
    assert "Authorization" not in headers


async def test_a_redirect_into_a_private_network(tmp_path: Path) -> None:
    seen: list[str] = []

    async def inside(request: web.Request) -> web.StreamResponse:
        seen.append(request.path)
        return web.Response(body=picture())

    async with served(inside) as away:
        assert (await _fails(moves(f"{away}/b"), tmp_path)).error_class == ErrorClass.EMPTY
    assert seen == []


@pytest.mark.parametrize(
    "place", ["", "file:///etc/passwd", "https://169.254.169.254/x", "http://[", "ftp://x/"]
)
async def test_redirects_that_lead_nowhere(place: str, tmp_path: Path) -> None:
    assert (await _fails(moves(place), tmp_path)).error_class == ErrorClass.EMPTY


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, "empty"),
        (403, "empty"),
        (410, "empty"),
        (500, "transient"),
        (503, "transient"),
        (429, "transient"),
    ],
)
async def test_bad_answers(status: int, expected: str, tmp_path: Path) -> None:
    error = await _fails(gives(b"<html>", status=status), tmp_path)
    assert error.error_class == expected and error.status == status


async def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    error = await _fails(gives(picture() + b"\0" * 5000), tmp_path, media_largest=4000)
    assert error.error_class == ErrorClass.EMPTY and "larger" in error.message
    bomb = gzip.compress(picture() + b"\0" * 50_000_000)
    packed = gives(bomb, headers={"Content-Encoding": "gzip"})
    error = await _fails(packed, tmp_path, media_largest=1_000_000)
    assert error.error_class == ErrorClass.EMPTY and "larger" in error.message


async def test_a_connection_that_breaks(tmp_path: Path) -> None:
    async def reply(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100000"})
        await response.prepare(request)
        await response.write(picture())
        if request.transport is not None:
            request.transport.abort()
        return response

    assert (await _fails(reply, tmp_path)).error_class == ErrorClass.TRANSIENT


async def test_a_folder_that_takes_nothing(tmp_path: Path) -> None:
    async with served(gives(picture())) as url, files(url) as found:
        for wanted in (Wanted(tmp_path / "gone", "r"), Wanted(Path("/proc"), "r")):
            with pytest.raises(ProviderError, match="cannot be written") as caught:
                await found.fetch(Remote(f"{url}/a"), wanted)
            assert caught.value.error_class == ErrorClass.CALLER
            with pytest.raises(ProviderError, match="cannot be written"):
                await found.keep(picture(), wanted)


async def test_a_disk_that_is_full(tmp_path: Path) -> None:
    os.symlink("/dev/full", tmp_path / ".r.part")
    async with served(gives(picture())) as url, files(url) as found:
        with pytest.raises(ProviderError, match="No space left") as caught:
            await found.fetch(Remote(f"{url}/a"), Wanted(tmp_path, "r"))
        assert caught.value.error_class == ErrorClass.CALLER
    assert names(tmp_path) == []


async def test_a_picture_that_only_begins_like_one(tmp_path: Path) -> None:
    error = await _fails(gives(picture()[:20]), tmp_path)
    assert error.error_class == ErrorClass.EMPTY and "broken" in error.message
