"""Pictures and videos for programs: ordered, followed, cancelled, tried again."""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Annotated, Any

from fastapi import Depends, Header, Query, Request
from fastapi.routing import APIRoute
from starlette.responses import Response, StreamingResponse

from admin.api.calls import LONGEST_UPLOAD, Call, Id, api_router, limited
from admin.api.errors import ErrorDetail, FieldError, answer, language_of
from admin.api.media_models import (
    MediaInputGiven,
    MediaJobPage,
    MediaJobsAsked,
    MediaModel,
    MediaModels,
    NewMediaJob,
    UploadedPicture,
)
from admin.bearer import Unauthorized, caller_of
from admin.gateway.access import Access
from admin.gateway.errors import ApiError, wrong
from admin.gateway.images_desk import Ask, Desk, tell_uses
from admin.gateway.images_errors import too_long
from admin.gateway.images_inputs import Given, from_data_url
from admin.gateway.images_reading import Caller
from admin.gateway.images_views import MediaJob, Showing, default_task, desk_of, showing_of
from admin.live import json_message, stream
from admin.services import services_of
from core.configuration.values import Readable
from core.gateway_keys import PREFIX
from core.jobs.order import Wish
from core.jobs.submit import LONGEST_DELAY, LONGEST_PROMPT
from core.pictures import LARGEST
from db.base import now
from db.job_lists import Wanted
from providers.media.types import Task


class MediaCall(Call):
    """A route for operators' tokens and for gateway keys; its own errors come in the API's shape."""

    limit = LONGEST_UPLOAD

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler behind the token's check and the limit."""
        handle = APIRoute.get_route_handler(self)

        async def checked(request: Request) -> Response:
            try:
                request.state.media_caller = await _admitted(request)
                return await handle(limited(request, self.limit))
            except ApiError as error:
                if error.status == 401:
                    raise Unauthorized from error
                return _answered(error)

        return checked


router = api_router("media", MediaCall)


def _caller(request: Request) -> Caller:
    found: Caller = request.state.media_caller
    return found


Who = Annotated[Caller, Depends(_caller)]
AtDesk = Annotated[Desk, Depends(desk_of)]
Views = Annotated[Showing, Depends(showing_of)]


@router.post("/media/jobs", status_code=202)
async def create_media_job(
    new: NewMediaJob,
    request: Request,
    who: Who,
    views: Views,
    again: Annotated[str, Header(alias="idempotency-key", max_length=100), Readable] = "",
) -> MediaJob:
    """Order a picture or video. The same `Idempotency-Key` again is the same job."""
    desk = desk_of(request)
    for name in ("prompt", "negative"):
        if len(getattr(new, name)) > LONGEST_PROMPT:
            raise too_long(name)
    pictures = tuple(_given(place, one) for place, one in enumerate(new.inputs))
    named = new.model or new.route
    task = new.task or await _task(desk, who, named, pictures)
    plain = new.model_dump(include={"prompt", "negative", "width", "height", "count", "seed", "seconds"})
    params = {name: value for name, value in new.params.items() if value is not None}
    wish = Wish(task, strength=new.strength, params=params, preset=new.preset, **plain)
    ask = Ask(named, wish, pictures, again, language=language_of(request), delay=_delay(new))
    placed = await desk.order(who, ask)
    return await views.job(who, placed.row, await desk.ahead(placed.row))


@router.get("/media/jobs")
async def list_media_jobs(
    who: Who, desk: AtDesk, views: Views, asked: Annotated[MediaJobsAsked, Query()]
) -> MediaJobPage:
    """Jobs, newest first: of a gateway key its own, of an operator's token all."""
    wanted = Wanted(**asked.model_dump(exclude={"limit"}))
    rows = await desk.jobs(who, wanted, asked.limit + 1)
    items = await views.jobs(who, rows[: asked.limit])
    return MediaJobPage(items=items, next=items[-1].id if len(rows) > asked.limit else None)


@router.get("/media/models")
async def list_media_models(who: Who, desk: AtDesk) -> MediaModels:
    """Media routes and models that the caller may name."""
    found = await desk.names.listed(who.key)
    return MediaModels(items=[MediaModel(name=one.name, tasks=one.tasks) for one in found])


@router.post("/media/uploads", status_code=201)
async def upload_picture(request: Request, who: Who, desk: AtDesk) -> UploadedPicture:
    """Keep a picture (the body, PNG, JPEG, WebP or GIF of at most 10 MB) for the inputs of jobs."""
    body = await request.body()
    if len(body) > LARGEST:
        raise wrong("body", f"at most {LARGEST >> 20} MB.", "invalid_image")
    row = await desk.inputs.store(who.key, Given("image", "body", body=body))
    return UploadedPicture(
        artifact=row.id, mime=row.mime, size=row.size, width=row.width, height=row.height,
        expires_at=row.expires_at,
    )  # fmt: skip


@router.get("/media/jobs/{job_id}")
async def get_media_job(job_id: Id, who: Who, desk: AtDesk, views: Views) -> MediaJob:
    """One job: how far it is, and what it made."""
    row = await desk.job(who, job_id)
    return await views.job(who, row, await desk.ahead(row))


@router.get(
    "/media/jobs/{job_id}/events",
    response_class=StreamingResponse,
    responses={200: {"model": MediaJob, "description": "The job at each change, as `text/event-stream`"}},
)
async def media_job_events(job_id: Id, request: Request, who: Who, desk: AtDesk, views: Views) -> Response:
    """The job at each change, until it has ended: events named `job`, each with the whole job as JSON."""
    await desk.job(who, job_id)
    return stream(_events(request, who, desk.follow(job_id), views))


@router.post("/media/jobs/{job_id}/cancel")
async def cancel_media_job(job_id: Id, who: Who, desk: AtDesk, views: Views) -> MediaJob:
    """Cancel: at once while it waits, within one step while it runs."""
    await desk.job(who, job_id)
    return await _changed(job_id, who, desk, views, await desk.cancel(job_id))


@router.post("/media/jobs/{job_id}/retry")
async def retry_media_job(job_id: Id, who: Who, desk: AtDesk, views: Views) -> MediaJob:
    """Let a failed or cancelled job wait once more."""
    row = await desk.job(who, job_id)
    return await _changed(job_id, who, desk, views, await desk.retry(row))


@router.post("/media/jobs/{job_id}/front")
async def media_job_to_front(job_id: Id, who: Who, desk: AtDesk, views: Views) -> MediaJob:
    """Move a waiting job before all others; for operators."""
    await desk.job(who, job_id)
    if who.key is not None:
        raise ApiError(403, "A gateway key cannot move its jobs before others'.", code="forbidden")
    return await _changed(job_id, who, desk, views, await desk.to_front(job_id))


async def _changed(job_id: str, who: Caller, desk: Desk, views: Showing, done: bool) -> MediaJob:
    row = await desk.job(who, job_id)
    if not done:
        raise ApiError(409, f"The job is {row.status}: that cannot be done any more.", code="job_state")
    return await views.job(who, row, await desk.ahead(row))


async def _events(
    request: Request, who: Caller, changes: AsyncIterator[tuple[Any, int | None]], views: Showing
) -> AsyncIterator[str]:
    async for row, ahead in changes:
        yield json_message("job", (await views.job(who, row, ahead)).model_dump(mode="json"))
        if getattr(request.app.state, "live", None) is not None and request.app.state.live.closing:
            return


async def _task(desk: Desk, who: Caller, named: str, pictures: Sequence[Given]) -> Task:
    makes = (await desk.names.find(who.key, named)).makes
    return default_task(makes, [one.role for one in pictures])


def _delay(new: NewMediaJob) -> float:
    """Seconds until it may begin; a moment that is over is now."""
    if new.start_at is None:
        return new.delay
    if new.delay:
        raise wrong("delay", "cannot be given together with `start_at`.")
    delay = new.start_at.timestamp() - now()
    if delay > LONGEST_DELAY:
        raise wrong("start_at", "must be within thirty days.")
    return max(delay, 0.0)


def _given(place: int, one: MediaInputGiven) -> Given:
    if bool(one.artifact) == bool(one.data):
        raise wrong(f"inputs[{place}]", "needs either `artifact` or `data`.")
    if one.artifact:
        return Given(one.role, f"inputs[{place}].artifact", one.artifact)
    return from_data_url(one.role, f"inputs[{place}].data", one.data)


async def _admitted(request: Request) -> Caller:
    """Who calls: a gateway key, or an operator's token. Raises Unauthorized or ApiError."""
    given = request.headers.get("authorization", "").partition(" ")[2].strip()
    if not given.startswith(PREFIX):
        await caller_of(request)
        return Caller()
    services = services_of(request)
    caller = Caller(await Access(services.gateway_keys, services.book).key_of(request.scope))
    await tell_uses(services)
    return caller


def _answered(error: ApiError) -> Response:
    fields = (
        [FieldError(field=error.param, code=error.code or "", message=error.message)] if error.param else []
    )
    detail = ErrorDetail(code=error.code or "bad_request", message=error.message, field_errors=fields)
    return answer(error.status, detail, error.headers)
