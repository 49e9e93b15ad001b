"""What the tools of the MCP server take."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from core.jobs.submit import LONGEST_DELAY
from providers.media.cards import LONGEST_SIDE

LONGEST_WAIT = 600.0


def _text(value: str) -> str:
    if "\0" in value or any("\ud800" <= one <= "\udfff" for one in value):
        raise ValueError("holds characters that are no text")
    return value


Words = Annotated[str, AfterValidator(_text)]
Id = Annotated[Words, Field(max_length=64, description="A job's id.")]
Model = Annotated[Words, Field(max_length=240, description="A name from list_models; empty: the usual one.")]
Picture = Annotated[str, Field(description="The id of a result or upload, or a data:image/...;base64, URL.")]
WAITING = "Seconds to wait for the result; then its job's id comes back."
Wait = Annotated[float, Field(ge=0, le=LONGEST_WAIT, allow_inf_nan=False, description=WAITING)]
LATER = "Seconds until it may begin, at most thirty days; then its job's id comes back at once."
Delay = Annotated[float, Field(ge=0, le=LONGEST_DELAY, allow_inf_nan=False, description=LATER)]
Side = Annotated[int, Field(ge=1, le=LONGEST_SIDE)]


class Making(BaseModel):
    """What every order takes."""

    model_config = ConfigDict(extra="forbid")

    prompt: Annotated[Words, Field(description="What it shall show.")]
    model: Model = ""
    negative_prompt: Words = ""
    width: Side | None = None
    height: Side | None = None
    seed: Annotated[int, Field(ge=0, le=2**53)] | None = None
    wait: Wait = 120.0
    delay: Delay = 0.0


class NewImage(Making):
    """Arguments of generate_image."""

    count: Annotated[int, Field(ge=1, le=10)] = 1


class NewEdit(NewImage):
    """Arguments of edit_image."""

    images: Annotated[list[Picture], Field(min_length=1, max_length=8)]
    mask: Picture = ""
    strength: Annotated[float, Field(gt=0, le=1, description="How far it may leave the picture.")] | None = (
        None
    )


class NewVideo(Making):
    """Arguments of generate_video."""

    seconds: Annotated[float, Field(gt=0, le=600)] | None = None
    image: Annotated[str, Field(description="The picture that it begins with, as in edit_image.")] = ""
    wait: Wait = 300.0


class OneJob(BaseModel):
    """Arguments of get_job."""

    model_config = ConfigDict(extra="forbid")

    id: Id
    wait: Wait = 0.0


class SomeJobs(BaseModel):
    """Arguments of list_jobs."""

    model_config = ConfigDict(extra="forbid")

    status: Literal["", "waiting", "running", "done", "failed", "cancelled"] = ""
    makes: Literal["", "image", "video"] = ""
    limit: Annotated[int, Field(ge=1, le=50)] = 20


class AJob(BaseModel):
    """Arguments of cancel_job."""

    model_config = ConfigDict(extra="forbid")

    id: Id


class Nothing(BaseModel):
    """No arguments."""

    model_config = ConfigDict(extra="forbid")


class Question(BaseModel):
    """Arguments of chat."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[Words, Field(max_length=240, description="A chat route or model from list_models.")]
    message: Words
    system: Words = ""
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
