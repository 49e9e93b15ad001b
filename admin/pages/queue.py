"""The queue of pictures and videos: what runs, what waits in which order, and what became of the rest."""

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from admin.i18n import N_, language_of
from admin.pages.changes import actor
from admin.pages.gallery_view import SOURCES
from admin.pages.instances_view import InstanceView, fleet
from admin.pages.page import back, fragment, show
from admin.pages.queue_view import STATUSES, inputs_of, lines_of, settings_of
from admin.services import services_of
from admin.sign_in import MayChange, SignedIn
from core.jobs import submit
from db import job_previews, jobs
from db.job_lists import Wanted, count_jobs, list_jobs
from db.operators import add_audit

router = APIRouter()
MOST = 60
ORDERS = {"cancel": "stopped", "retry": "ordered", "front": "first"}
MAKES = {"image": N_("Pictures"), "video": N_("Videos")}
ASKED = ("status", "makes", "instance", "source", "older")


@router.get("/queue")
async def queue(request: Request, person: SignedIn) -> Response:
    """Jobs as the address asks for them; with `part`, only the rows."""
    instances = (await fleet(request)).instances
    asked = {name: request.query_params.get(name, "")[:64] for name in ASKED}
    wanted = _wanted(asked, {_place(one): one.id for one in instances})
    async with services_of(request).database.reading() as conn:
        rows = await list_jobs(conn, wanted, MOST + 1)
        lines = await lines_of(conn, rows[:MOST], language_of(request))
        counts = await count_jobs(conn)
    if "part" in request.query_params:
        return fragment(request, "queue_parts.html", "listed", lines, person, any(asked.values()))
    t = language_of(request)
    older = _address(asked, older=rows[MOST - 1].id) if len(rows) > MOST else ""
    states = [("", t("All"))] + [(name, t(words)) for name, (words, _tone) in STATUSES.items()]
    return await show(
        request, "queue.html", "queue", lines=lines, asked=asked, counts=counts, older=older,
        states=[(name, words, _address(asked, status=name, older="")) for name, words in states],
        part=_address(asked, part="1"), filtered=any(asked.values()),
        makes=[("", t("Pictures and videos")), *((name, t(words)) for name, words in MAKES.items())],
        sources=[("", t("Ordered anywhere")), *((name, t(words)) for name, words in SOURCES.items())],
        instances=[("", t("All bots and widgets")), *((_place(one), one.name) for one in instances)],
    )  # fmt: skip


@router.get("/queue/{job_id}")
async def job(request: Request, job_id: str, person: SignedIn) -> Response:
    """One job with everything that is known of it; with `part`, only what changes while it runs."""
    t = language_of(request)
    async with services_of(request).database.reading() as conn:
        row = await jobs.get_job(conn, job_id[:36])
        if row is None:
            raise HTTPException(404)
        [line] = await lines_of(conn, [row], t)
        inputs = await inputs_of(conn, row, t)
    if "part" in request.query_params:
        return fragment(request, "queue_parts.html", "job", row, line, person)
    instances = {one.id: one for one in (await fleet(request)).instances}
    return await show(
        request, "queue_job.html", "queue", row=row, line=line, inputs=inputs, settings=settings_of(row, t),
        instance=instances.get(row.channel_id),
    )  # fmt: skip


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
                done = bool(await submit.cancel(conn, job_id))
            case "retry":
                done = await submit.retry(conn, job_id, services.settings.task_ttl_hours)
            case _:
                done = await jobs.put_first(conn, job_id)
        if done:
            await add_audit(conn, actor(person), f"job.{what}", job_id)
    if done:
        await services.control.wake("jobs")
        if row.channel_id:
            await services.control.wake("outbox", row.channel_id)
    return back(f"/queue/{job_id}", ORDERS[what] if done else "late")


def _place(one: InstanceView) -> str:
    return f"{one.room}/{one.slug}"


def _wanted(asked: dict[str, str], instances: dict[str, str]) -> Wanted:
    return Wanted(
        status=_known(asked, "status", STATUSES), makes=_known(asked, "makes", MAKES),
        source=_known(asked, "source", SOURCES), channel_id=instances.get(asked["instance"], ""),
        older=asked["older"][:36],
    )  # fmt: skip


def _known(asked: dict[str, str], name: str, values: dict[str, Any]) -> str:
    """What the address names, or nothing where nobody knows it."""
    asked[name] = asked[name] if asked[name] in values else ""
    return asked[name]


def _address(asked: dict[str, str], **other: str) -> str:
    values = {name: value for name, value in {**asked, **other}.items() if value}
    return f"/queue?{urlencode(values)}" if values else "/queue"
