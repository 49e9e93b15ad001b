"""The queue of pictures and videos: what runs, what waits in which order, and what became of the rest."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import Response

from admin.i18n import N_, Language, language_of
from admin.pages.changes import actor
from admin.pages.gallery_view import SOURCES, TASKS
from admin.pages.page import back, fragment, show
from admin.services import services_of
from admin.sign_in import MayChange, SignedIn
from core.jobs import submit
from core.jobs.answering import failed_text
from core.jobs.board import progress_line
from db import artifacts, job_previews, jobs
from db.channels import all_channels
from db.job_lists import Wanted, count_jobs, list_jobs
from db.operators import add_audit

router = APIRouter()
MOST = 60
STATUSES = {
    "waiting": (N_("waiting"), ""), "running": (N_("running"), "warn"), "done": (N_("done"), "ok"),
    "failed": (N_("failed"), "bad"), "cancelled": (N_("cancelled"), ""),
}  # fmt: skip
ORDERS = {"cancel": "stopped", "retry": "ordered", "front": "saved"}


@dataclass(frozen=True, slots=True)
class Line:
    """One job as a row of the page; `artifact` is the first thing that it made."""

    id: str
    prompt: str
    task: str
    status: str
    words: str
    tone: str
    told: str
    fraction: float | None
    model: str
    source: str
    instance: str
    at: float
    seconds: float | None
    cost: float | None
    artifact: str
    tried: tuple[tuple[str, str, str], ...]


@router.get("/queue")
async def queue(request: Request, person: SignedIn) -> Response:
    """All jobs; with `part`, only the rows."""
    status = request.query_params.get("status", "")
    status = status if status in STATUSES else ""
    async with services_of(request).database.reading() as conn:
        rows = await list_jobs(conn, Wanted(status=status), MOST)
        counts = await count_jobs(conn)
        lines = await _lines(conn, rows, language_of(request))
    if "part" in request.query_params:
        return fragment(request, "queue_parts.html", "listed", lines, person.csrf)
    chosen = [("", N_("All"))] + [(name, words) for name, (words, _tone) in STATUSES.items()]
    return await show(request, "queue.html", "queue", lines=lines, asked=status, counts=counts, chosen=chosen)


@router.get("/queue/{job_id}/preview")
async def preview(request: Request, job_id: str, _: SignedIn) -> Response:
    """The newest small picture of a job that runs."""
    async with services_of(request).database.reading() as conn:
        row = await job_previews.get_preview(conn, job_id)
    if row is None:
        raise HTTPException(404)
    body = bytes(row.body)
    mime = "image/png" if body.startswith(b"\x89PNG") else "image/jpeg"
    return Response(body, media_type=mime, headers={"cache-control": "no-store"})


@router.post("/queue/{job_id}/{what}")
async def order(request: Request, job_id: str, what: str, person: MayChange) -> Response:
    """Cancel a job, let it wait once more, or move it to the front."""
    services = services_of(request)
    if what not in ORDERS:
        raise HTTPException(404)
    async with services.database.transaction() as conn:
        row = await jobs.get_job(conn, job_id)
        if row is None:
            raise HTTPException(404)
        match what:
            case "cancel":
                await submit.cancel(conn, job_id)
            case "retry":
                await submit.retry(conn, job_id, services.settings.task_ttl_hours)
            case _:
                await jobs.put_first(conn, job_id)
        await add_audit(conn, actor(person), f"job.{what}", job_id)
    await services.control.wake("jobs")
    if row.channel_id:
        await services.control.wake("outbox", row.channel_id)
    return back("/queue", ORDERS[what])


async def _lines(conn: AsyncConnection, rows: list[Any], t: Language) -> list[Line]:
    names = {one.id: one.name or one.slug for one in await all_channels(conn)}
    return [await _line(conn, row, names, t) for row in rows]


async def _line(conn: AsyncConnection, row: Any, names: dict[str, str], t: Language) -> Line:
    made = await artifacts.artifacts_of(conn, row.id) if row.status == jobs.DONE else []
    ahead = await jobs.before(conn, row) if row.status == jobs.WAITING else row.position
    shown = _Read(row, t.code)
    told = ""
    if row.status in (jobs.WAITING, jobs.RUNNING):
        told = progress_line(shown, ahead).replace("▰", "").replace("▱", "").strip()
    elif row.status == jobs.FAILED:
        told = failed_text(shown, row.status, row.reason)
    words, tone = STATUSES[row.status]
    seconds = row.finished_at - row.started_at if row.finished_at and row.started_at else None
    tried = tuple(
        (f"{one['provider_id']}:{one['model']}", one["error_class"], one["error"]) for one in row.tried
    )
    return Line(
        row.id, row.request.get("prompt", ""), TASKS.get(row.task, row.task), row.status, words, tone, told,
        row.fraction, f"{row.provider_id}:{row.model}" if row.provider_id else "",
        SOURCES.get(row.source, row.source), names.get(row.channel_id or "", ""), row.created_at, seconds,
        row.cost, made[0].id if made else "", tried,
    )  # fmt: skip


class _Read:
    """A job's row in the reader's language."""

    def __init__(self, row: Any, language: str) -> None:
        self._row = row
        self.language = language

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, name)
