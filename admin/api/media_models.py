"""What programs send and get about pictures and videos."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from admin.gateway.images_views import MediaJob
from core.configuration.errors import wrong
from core.configuration.values import Readable
from core.jobs.submit import LONGEST_DELAY, LONGEST_PROMPT
from providers.media.cards import LONGEST_SIDE
from providers.media.types import Task

LARGEST_SEED = 2**53


def _text(value: str) -> str:
    if any("\ud800" <= one <= "\udfff" for one in value):  # half a character: JSON can say it, rows cannot
        raise wrong("bad_characters")
    return value


Prompt = Annotated[str, Readable, AfterValidator(_text)]
Short = Annotated[str, Field(max_length=240), Readable, AfterValidator(_text)]
Role = Literal["image", "mask", "last_frame", "reference", "person", "garment"]
Plain = bool | int | float | Annotated[str, Field(max_length=LONGEST_PROMPT), Readable, AfterValidator(_text)]


class MediaInputGiven(BaseModel):
    """A picture to work on: the id of an artifact, or a data: URL with base64."""

    model_config = ConfigDict(extra="forbid")

    role: Role = "image"
    artifact: Annotated[str, Field(max_length=36), Readable, AfterValidator(_text)] = ""
    data: Annotated[str, Field(repr=False)] = ""


class NewMediaJob(BaseModel):
    """What to make. `model` (or `route`, which is the same) is a media route's id, `provider:model` or
    `provider:auto`; left out, the route `images` or `videos`. `task` follows from it and from the inputs.
    `delay` in seconds or `start_at` (ISO 8601 with its zone) says when it may begin: within thirty days."""

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
    delay: float = Field(0.0, ge=0, le=LONGEST_DELAY, allow_inf_nan=False)
    start_at: AwareDatetime | None = None


class MediaJobsAsked(BaseModel):
    """Which jobs are wanted; empty is any. `older` is the `next` of the page before."""

    status: Literal["", "waiting", "running", "done", "failed", "cancelled"] = ""
    source: Literal["", "chat", "tool", "api", "mcp", "panel"] = ""
    makes: Literal["", "image", "video"] = ""
    channel_id: Annotated[str, Field(max_length=36), Readable, AfterValidator(_text)] = ""
    older: Annotated[str, Field(max_length=36), Readable, AfterValidator(_text)] = ""
    limit: int = Field(50, ge=1, le=200)


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
