"""`/v1/images/generations` and `/v1/images/edits`: a durable job, and a client who waits for it."""

import asyncio
import base64
import json
from typing import Any

from starlette.requests import Request
from starlette.types import Receive, Scope

from admin.gateway.access import Access
from admin.gateway.errors import ApiError, wrong
from admin.gateway.http import Header, send_json
from admin.gateway.images_errors import job_failed
from admin.gateway.images_front import Body, Call, let_in, order_of, renamed
from admin.gateway.outlet import Outlet, attended
from admin.media_files import store_of
from core.media.files import SUFFIXES
from core.media.store import StoreTrouble
from db import jobs

GENERATIONS, EDITS = "/images/generations", "/images/edits"
WITHIN = 600.0  # seconds: as long as the official clients wait
# What OpenAI's own models know; passed on where every model that may be asked knows it too.
HINTS = ("quality", "style", "background", "output_format", "moderation", "input_fidelity")
FORMATS = ("url", "b64_json")


async def serve(path: str, scope: Scope, receive: Receive, outlet: Outlet, access: Access) -> None:
    """Answer one request. Raises ApiError and ClientGone."""
    if path not in (GENERATIONS, EDITS):
        raise ApiError(404, "There is nothing at this address.", code="unknown_url")
    if scope["method"] != "POST":
        text = "This address takes POST only."
        raise ApiError(405, text, code="method_not_allowed", headers={"allow": "POST"})
    call = await let_in(scope, receive, outlet, access)
    body = await call.body()
    try:
        await _make(call, body, _pictures(body) if path == EDITS else [])
    except ApiError as error:
        raise renamed(error) from error


def _pictures(body: Body) -> list[Any]:
    pictures = body.pictures("image")
    if not pictures:
        raise wrong("image", "a picture is needed.", "missing_required_parameter")
    return [*pictures, *body.pictures("mask", "mask")[:1]]


async def _make(call: Call, body: Body, pictures: list[Any]) -> None:
    if body.fields.get("stream") in (True, "true", "True"):
        raise ApiError(400, "Pictures are not streamed here.", param="stream", code="unsupported_parameter")
    form = body.text("response_format", "url")
    if form not in FORMATS:
        raise wrong("response_format", f"must be {' or '.join(FORMATS)}.")
    ask = await order_of(body, "image", pictures, HINTS)
    again = call.again
    placed = await call.desk.order(call.caller, ask.with_key(again))
    answering = asyncio.create_task(_answer(call, placed.row.id, form, ask.name))
    try:
        await attended(answering, call.receive, call.outlet)
    finally:
        # A client that left, or a process that ends: nobody reads the answer. Who has named a key comes back.
        if not call.outlet.ended and not again:
            await asyncio.shield(call.desk.cancel(placed.row.id))


async def _answer(call: Call, job_id: str, form: str, name: str) -> None:
    headers: list[Header] = [(b"x-botyard-job", job_id.encode()), (b"x-request-id", job_id.encode())]
    try:
        async with asyncio.timeout(WITHIN):
            row = await call.desk.ended(job_id)
    except TimeoutError:
        text = f"It took longer than {WITHIN:.0f} seconds. POST /api/v1/media/jobs is for long work."
        raise ApiError(
            504, text, "server_error", code="timeout", headers={"x-should-retry": "false"}
        ) from None
    if row.status != jobs.DONE:
        error = job_failed(row)
        error.headers |= {key.decode(): value.decode() for key, value in headers}
        raise error
    made = await call.desk.made(row)
    data = [await _image(call, one, form) for one in made]
    first = made[0]
    body = {
        "created": int(row.finished_at), "data": data, "size": f"{first.width}x{first.height}",
        "output_format": SUFFIXES[first.mime].strip(".").replace("jpg", "jpeg"),
    }  # fmt: skip
    route = f"{name or row.route_id}; {row.provider_id}:{row.model}; attempts={len(row.tried) + 1}"
    headers.append((b"x-botyard-route", route.encode("ascii", "replace")))
    await send_json(call.outlet.send, 200, json.dumps(body).encode(), headers)


async def _image(call: Call, row: Any, form: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if revised := row.settings.get("revised_prompt"):
        found["revised_prompt"] = str(revised)
    if form == "url":
        return {**found, "url": call.views.url(row)}
    try:
        content = await store_of(Request(call.scope)).content(row.key)
    except StoreTrouble as error:
        text = "It was made, but the media store cannot be read now."
        raise ApiError(503, text, "server_error", code="storage_unavailable") from error
    return {**found, "b64_json": base64.b64encode(content).decode()}
