"""`/v1/videos`: durable jobs in the shape of OpenAI's video jobs. They go on without their client."""

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope

from admin.gateway.access import Access
from admin.gateway.errors import ApiError, wrong
from admin.gateway.http import send_json
from admin.gateway.images_errors import job_failed, no_job
from admin.gateway.images_front import Call, let_in, order_of, renamed
from admin.gateway.images_reading import is_id
from admin.gateway.outlet import Outlet
from admin.media_files import answer_file
from core.media.routes import VIDEO
from db import jobs
from db.job_lists import Wanted
from providers.media.types import Task

VIDEOS = "/videos"
CONTENT = "content"
VARIANTS = ("video", "thumbnail")
STATUSES = {jobs.WAITING: "queued", jobs.RUNNING: "in_progress", jobs.DONE: "completed"}
HINTS = ("quality", "style")


async def serve(path: str, scope: Scope, receive: Receive, outlet: Outlet, access: Access) -> None:
    """Answer one request. Raises ApiError and ClientGone."""
    job_id, _, rest = path.removeprefix(VIDEOS).strip("/").partition("/")
    methods: tuple[str, ...] = ("GET",) if rest else ("GET", "DELETE") if job_id else ("GET", "POST")
    if rest not in ("", CONTENT):
        raise ApiError(404, "There is nothing at this address.", code="unknown_url")
    if scope["method"] not in methods:
        allowed = " and ".join(methods)
        text = f"This address takes {allowed} only."
        raise ApiError(405, text, code="method_not_allowed", headers={"allow": ", ".join(methods)})
    call = await let_in(scope, receive, outlet, access)
    match (bool(job_id), scope["method"]):
        case (False, "POST"):
            await _create(call)
        case (False, _):
            await _list(call)
        case (True, "DELETE"):
            await _delete(call, job_id)
        case _:
            row = await _video(call, job_id)
            await (_content(call, row) if rest else _send(call, await _shown(call, row)))


async def _create(call: Call) -> None:
    body = await call.body()
    try:
        ask = await order_of(body, VIDEO, body.pictures("input_reference")[:1], HINTS)
        placed = await call.desk.order(call.caller, ask.with_key(call.again))
    except ApiError as error:
        raise renamed(error) from error
    await _send(call, await _shown(call, placed.row))


async def _list(call: Call) -> None:
    asked = Request(call.scope).query_params
    given = asked.get("limit", "20")
    if not (given.isascii() and given.isdigit()) or not 1 <= int(given[:6]) <= 100:
        raise wrong("limit", "must be between 1 and 100.")
    if asked.get("order", "desc") != "desc":
        raise wrong("order", "is desc only: newest first.", "unsupported_parameter")
    after = asked.get("after", "")
    wanted = Wanted(makes=VIDEO, older=after if is_id(after) else "")
    rows = await call.desk.jobs(call.caller, wanted, int(given) + 1)
    data = [await _shown(call, row) for row in rows[: int(given)]]
    ends = (
        {"first_id": data[0]["id"], "last_id": data[-1]["id"]}
        if data
        else {"first_id": None, "last_id": None}
    )
    await _send(call, {"object": "list", "data": data, "has_more": len(rows) > int(given), **ends})


async def _delete(call: Call, job_id: str) -> None:
    row = await _video(call, job_id)
    await call.desk.delete(row)
    await _send(call, {"id": job_id, "object": "video.deleted", "deleted": True})


async def _content(call: Call, row: Any) -> None:
    asked = Request(call.scope).query_params.get("variant", "video")
    if asked not in VARIANTS:
        raise wrong("variant", f"must be {' or '.join(VARIANTS)}.")
    if row.status != jobs.DONE:
        if row.status in jobs.ENDED:
            raise job_failed(row)
        raise ApiError(404, "The video is not ready yet.", param="id", code="video_not_ready")
    made = (await call.desk.made(row))[:1]
    if not made or (asked == "thumbnail" and not made[0].poster):
        raise ApiError(404, "There is no such file.", param="id", code="not_found")
    try:
        response = await answer_file(Request(call.scope), made[0], poster=asked == "thumbnail", download=True)
    except HTTPException as error:
        text = "The file cannot be read now." if error.status_code == 503 else "The file was deleted."
        raise ApiError(error.status_code, text, param="id", code="storage_unavailable") from error
    await response(call.scope, call.receive, call.outlet.send)


async def _video(call: Call, job_id: str) -> Any:
    """A job that makes videos, of this caller."""
    row = await call.desk.job(call.caller, job_id)
    if Task(row.task).makes != VIDEO:
        raise no_job(job_id)
    return row


async def _shown(call: Call, row: Any) -> dict[str, Any]:
    request = row.request
    made = (await call.desk.made(row))[:1] if row.status == jobs.DONE else []
    width, height = (made[0].width, made[0].height) if made else (request["width"], request["height"])
    seconds = (made[0].seconds if made else None) or request["seconds"]
    error = None
    if row.status in (jobs.FAILED, jobs.CANCELLED):
        why = job_failed(row)
        error = {"code": why.code or "failed", "message": why.message}
    return {
        "id": row.id, "object": "video", "created_at": int(row.created_at), "error": error,
        "completed_at": int(row.finished_at) if row.finished_at else None,
        "expires_at": int(made[0].expires_at) if made and made[0].expires_at else None,
        "model": row.route_id or row.candidates[0], "progress": round((row.fraction or 0.0) * 100),
        "prompt": request["prompt"], "remixed_from_video_id": None,
        "seconds": f"{seconds:g}" if seconds else "", "size": f"{width}x{height}" if width and height else "",
        "status": STATUSES.get(row.status, "failed"),
    }  # fmt: skip


async def _send(call: Call, body: dict[str, Any]) -> None:
    await send_json(call.outlet.send, 200, json.dumps(body).encode())
