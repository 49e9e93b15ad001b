"""Media files as answers: whole, in ranges, or small."""

import asyncio
import importlib
import logging
import re
from collections.abc import AsyncIterator
from typing import Any

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from admin.services import services_of
from core.media.artifacts_clearing import SMALL, base_of
from core.media.opening import open_store
from core.media.signed import Signer, file_name, open_signer
from core.media.store import Missing, Store, StoreTrouble
from db.artifacts import get_artifact

RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")
ID = re.compile(r"[0-9a-f-]{36}\Z")
FOREVER = "private, max-age=31536000, immutable"  # a file never changes under its id
POLICY = "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"
PLAYED = POLICY.replace("sandbox", "sandbox allow-same-origin")  # else a browser's own player may not read it
SHOWN = ("image/", "video/")
MAKING = asyncio.Semaphore(2)
logger = logging.getLogger(__name__)


def store_of(request: Request) -> Store:
    """The media store of the running application."""
    state = request.app.state
    if getattr(state, "media", None) is None:
        state.media = open_store(services_of(request).settings)
    found: Store = state.media
    return found


async def signer_of(request: Request) -> Signer:
    """What signs addresses of this installation."""
    state = request.app.state
    if getattr(state, "signer", None) is None:
        state.signer = await open_signer(services_of(request).database)
    signer: Signer = state.signer
    return signer


async def row_of(request: Request, artifact_id: str) -> Any:
    """One artifact, or 404."""
    if not ID.match(artifact_id):
        raise HTTPException(404)
    async with services_of(request).database.reading() as conn:
        row = await get_artifact(conn, artifact_id)
    if row is None:
        raise HTTPException(404)
    return row


async def answer_file(
    request: Request, row: Any, *, poster: bool = False, download: bool = False
) -> Response:
    """An artifact's file, or its poster, with ranges. Raises HTTPException."""
    store, key = store_of(request), row.poster if poster else row.key
    mime = "image/jpeg" if poster else row.mime
    etag = f'"{row.digest[:32]}{"-p" if poster else ""}"'
    policy = PLAYED if mime.startswith("video/") else POLICY
    headers = {
        "etag": etag, "cache-control": FOREVER, "accept-ranges": "bytes", "content-security-policy": policy,
        "x-content-type-options": "nosniff", "content-disposition": _disposition(row, mime, download),
    }  # fmt: skip
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    try:
        size = await store.size(key)
        span = _span(request, size, etag)
        if span is None:
            return Response(status_code=416, headers={**headers, "content-range": f"bytes */{size}"})
        return await _streamed(request, key, span, size, {**headers, "content-type": mime})
    except Missing as error:
        raise HTTPException(404) from error
    except StoreTrouble as error:
        logger.warning("the media store is in trouble: %s", error)
        raise HTTPException(503) from error


async def _streamed(
    request: Request, key: str, span: tuple[int, int], size: int, headers: dict[str, str]
) -> Response:
    start, end = span
    part = _ranged(
        request, headers["etag"]
    )  # Safari plays nothing where its range from 0 on is answered by 200
    headers["content-length"] = str(end - start)
    if part:
        headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    if request.method == "HEAD":
        return Response(status_code=206 if part else 200, headers=headers)
    pieces = store_of(request).read(key, start, end if part else None)
    first = await anext(pieces, b"")  # a file that is not there shall fail before the headers are out
    return StreamingResponse(_all(first, pieces), 206 if part else 200, headers=headers)


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def _span(request: Request, size: int, etag: str) -> tuple[int, int] | None:
    """From where to before where; everything without a range, None for one that lies outside."""
    found = _ranged(request, etag)
    if not found:
        return 0, size
    if not found[1]:
        return (max(0, size - int(found[2])), size) if int(found[2]) and size else None
    start = int(found[1])
    end = min(int(found[2]) + 1, size) if found[2] else size
    return (start, end) if start < end else None


def _ranged(request: Request, etag: str) -> re.Match[str] | None:
    """The range that counts, if one does."""
    found = RANGE.match(request.headers.get("range", ""))
    same = request.headers.get("if-range", etag) == etag
    return found if found and same and found[0] != "bytes=-" else None


def _disposition(row: Any, mime: str, download: bool) -> str:
    kind = "attachment" if download or not mime.startswith(SHOWN) else "inline"
    return f'{kind}; filename="{file_name(row)}"'


async def small_picture(store: Store, row: Any) -> bytes:
    """A small picture of an artifact, made when it is first asked for. Raises Missing where there is nothing
    to make it of, BadFile or StoreTrouble."""
    key = base_of(row.key) + SMALL
    try:
        return await store.content(key)
    except Missing:
        if row.mime.startswith("video/") and not row.poster:
            raise
    async with MAKING:
        make = importlib.import_module("core.media.files_small").small_picture
        body: bytes = await asyncio.to_thread(make, await store.content(row.poster or row.key))
    try:
        await store.put(key, body)
    except StoreTrouble as error:
        logger.warning("a preview could not be stored: %s", error)
    return body
