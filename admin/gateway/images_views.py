"""Jobs of pictures and videos as programs see them."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from starlette.requests import HTTPConnection, Request

from admin.gateway.images_desk import Desk
from admin.gateway.images_errors import job_failed
from admin.gateway.images_reading import Caller
from admin.media_files import signer_of, store_of
from admin.services import services_of
from core.media.signed import Signer, file_name
from db import jobs
from db.base import now
from providers.media.types import Task


class MediaResult(BaseModel):
    """A file that was made. `url` reads it without a token, for a week."""

    id: str
    name: str
    mime: str
    size: int
    width: int
    height: int
    seconds: float | None
    settings: dict[str, Any]
    url: str


class JobError(BaseModel):
    """Why a job made nothing: `code` for programs, `message` for people; `detail`, for operators alone, is
    what the models said."""

    code: str
    message: str
    field: str | None = None
    detail: str = ""


class MediaJob(BaseModel):
    """A picture or video that was ordered. `status` is waiting, running, done, failed or cancelled, `phase`
    scheduled (until `starts_at`), waiting, loading, running or saving. `progress` is 0 to 1, null where
    nobody knows; `position` counts the jobs before it; `eta` is in seconds; moments are UTC epoch seconds.
    `cost` is in US dollars."""

    id: str
    status: str
    phase: str
    task: str
    source: str
    route: str | None
    model: str
    request: dict[str, Any]
    progress: float | None
    step: int
    steps: int
    position: int | None
    eta: float | None
    attempt: int
    error: JobError | None
    cost: float | None
    created_at: float
    starts_at: float | None
    started_at: float | None
    finished_at: float | None
    results: Sequence[MediaResult] = ()

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self.status in jobs.ENDED


class Showing:
    """Makes views; `base` is the public address."""

    def __init__(self, desk: Desk, signer: Signer, base: str) -> None:
        self._desk = desk
        self._signer = signer
        self._base = base

    def url(self, artifact: Any) -> str:
        """A file's address, good for a week."""
        return self._base + self._signer.path(artifact)

    async def job(self, caller: Caller, row: Any, ahead: int | None) -> MediaJob:
        """One job with what it made."""
        made = await self._desk.made(row) if row.status == jobs.DONE else []
        values = {name: getattr(row, name) for name in MediaJob.model_fields if hasattr(row, name)}
        asked = {name: value for name, value in row.request.items() if value not in (None, "", [], {})}
        shown = {
            "route": row.route_id, "model": f"{row.provider_id}:{row.model}" if row.provider_id else "",
            "request": asked, "progress": row.fraction, "position": ahead, "eta": _eta(row),
            "error": _error(caller, row), **_start(row), "results": [self.result(one) for one in made],
        }  # fmt: skip
        return MediaJob(**{**values, **shown})

    async def jobs(self, caller: Caller, rows: Sequence[Any]) -> list[MediaJob]:
        """Several."""
        return [await self.job(caller, row, await self._desk.ahead(row)) for row in rows]

    def result(self, row: Any) -> MediaResult:
        """One file."""
        return MediaResult(
            id=row.id, name=file_name(row), mime=row.mime, size=row.size, width=row.width, height=row.height,
            seconds=row.seconds, settings=row.settings, url=self.url(row),
        )  # fmt: skip


def desk_of(connection: HTTPConnection) -> Desk:
    """The desk of the running application."""
    state = connection.app.state
    if getattr(state, "media_desk", None) is None:
        state.media_desk = Desk(services_of(connection), store_of(Request(connection.scope)))
    found: Desk = state.media_desk
    return found


async def showing_of(connection: HTTPConnection) -> Showing:
    """What makes views in the running application."""
    signer = await signer_of(Request(connection.scope))
    return Showing(desk_of(connection), signer, services_of(connection).settings.url)


def _start(row: Any) -> dict[str, Any]:
    """Its phase, and when it begins where that is set and yet to come."""
    if row.phase != jobs.SCHEDULED:
        return {"phase": row.phase, "starts_at": None}
    if row.not_before <= now():
        return {"phase": jobs.WAITING, "starts_at": None}
    return {"phase": row.phase, "starts_at": row.not_before}


def _eta(row: Any) -> float | None:
    """What the model says, else what is left at the speed so far."""
    told: float | None = row.eta if row.status == jobs.RUNNING else None
    if row.status != jobs.RUNNING or told is not None or not row.fraction or not row.started_at:
        return told
    return round(float((now() - row.started_at) * (1 - row.fraction) / row.fraction), 1)


def _error(caller: Caller, row: Any) -> JobError | None:
    if row.status not in (jobs.FAILED, jobs.CANCELLED):
        return None
    why = job_failed(row)
    detail = row.error if caller.key is None else ""
    return JobError(code=why.code or "", message=why.message, field=why.param, detail=detail)


def default_task(makes: str, roles: Sequence[str]) -> Task:
    """What is meant by who does not say: from the kind of the result and of the pictures to work on."""
    if makes == "video":
        return Task.IMAGE_TO_VIDEO if roles else Task.TEXT_TO_VIDEO
    if "mask" in roles:
        return Task.INPAINT
    if "garment" in roles:
        return Task.TRY_ON
    return Task.IMAGE_TO_IMAGE if roles else Task.TEXT_TO_IMAGE
