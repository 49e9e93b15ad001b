"""Pictures and videos for programs: ordered, followed, cancelled, tried again."""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Annotated, Any, Literal

from fastapi import Depends, Header, Query, Request
from fastapi.routing import APIRoute
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from admin.api.calls import LONGEST_UPLOAD, Call, Id, api_router, limited
from admin.api.errors import ErrorDetail, FieldError, answer, language_of
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
from core.configuration.errors import wrong as wrong_value
from core.configuration.values import Readable
from core.gateway_keys import PREFIX
from core.jobs.order import Wish
from core.jobs.submit import LONGEST_PROMPT
from core.pictures import LARGEST
from db.job_lists import Wanted
from providers.media.cards import LONGEST_SIDE
from providers.media.types import Task

LARGEST_SEED = 2**53


def _text(value: str) -> str:
    if any("\ud800" <= one <= "\udfff" for one in value):  # half a character: JSON can say it, rows cannot
        raise wrong_value("bad_characters")
    return value


Prompt = Annotated[str, Readable, AfterValidator(_text)]
Short = Annotated[str, Field(max_length=240), Readable, AfterValidator(_text)]
Role = Literal["image", "mask", "last_frame", "reference", "person", "garment"]
Plain = bool | int | float | Annotated[str, Field(max_length=LONGEST_PROMPT), Readable, AfterValidator(_text)]


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


class MediaInputGiven(BaseModel):
    """A picture to work on: the id of an artifact, or a data: URL with base64."""

    model_config = ConfigDict(extra="forbid")

    role: Role = "image"
    artifact: Annotated[str, Field(max_length=36), Readable, AfterValidator(_text)] = ""
    data: Annotated[str, Field(repr=False)] = ""


class NewMediaJob(BaseModel):
    """What to make. `model` (or `route`, which is the same) is a media route's id, `provider:model` or
    `provider:auto`; left out, the route `images` or `videos`. `task` follows from it and from the inputs."""

    model_config = ConfigDict(extra="forbid")

    model: Short = ""
    route: Short = ""
    task: Task | None = None
    prompt: Prompt = ""
    negative: Prompt = ""
    inputs: Annotated[list[MediaInputGiven], Field(max_length=16)] = []
    width: int | None = Field(None, ge=1, le=LONGEST_SIDE)
    height: int | None = Field(None, ge=1, le=LONGEST_SIDE)
    count: int = Field(1, ge=1, le=16)
    seed: int | None = Field(None, ge=0, le=LARGEST_SEED)
    seconds: float | None = Field(None, gt=0, le=600, allow_inf_nan=False)
    strength: float | None = Field(None, ge=0, le=1, allow_inf_nan=False)
    params: Annotated[dict[Short, Plain | None], Field(max_length=64)] = {}
    preset: Short = ""


class MediaJobPage(BaseModel):
    """Jobs, newest first; `next` is the `older` of the next page."""

    items: Sequence[MediaJob]
    next: str | None


class MediaModel(BaseModel):
    """What may be named as `model`, and the tasks that it does."""

    name: str
    tasks: Sequence[Task]


class MediaModels(BaseModel):
    """Everything that the caller may name."""

    items: Sequence[MediaModel]


class UploadedPicture(BaseModel):
    """A picture that jobs may name as an input until `expires_at` (UTC epoch seconds)."""

    artifact: str
    mime: str
    size: int
    width: int
    height: int
    expires_at: float | None


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
    placed = await desk.order(who, Ask(named, wish, pictures, again, language=language_of(request)))
    return await views.job(who, placed.row, await desk.ahead(placed.row))


@router.get("/media/jobs")
async def list_media_jobs(
    who: Who,
    desk: AtDesk,
    views: Views,
    status: Literal["", "waiting", "running", "done", "failed", "cancelled"] = "",
    source: Literal["", "chat", "tool", "api", "mcp", "panel"] = "",
    makes: Literal["", "image", "video"] = "",
    older: Annotated[str, Readable, AfterValidator(_text)] = Query("", max_length=36),
    limit: int = Query(50, ge=1, le=200),
) -> MediaJobPage:
    """Jobs, newest first: of a gateway key its own, of an operator's token all."""
    wanted = Wanted(None, status, source, makes, older=older)
    rows = await desk.jobs(who, wanted, limit + 1)
    items = await views.jobs(who, rows[:limit])
    return MediaJobPage(items=items, next=items[-1].id if len(rows) > limit else None)


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
