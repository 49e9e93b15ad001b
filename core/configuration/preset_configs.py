"""What people may set on a preset."""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from core.configuration.configs import Config
from core.configuration.errors import wrong
from core.configuration.values import Name, Readable, Slug, Stripped

TaskName = Literal[
    "", "text_to_image", "image_to_image", "inpaint", "upscale", "try_on", "text_to_video", "image_to_video"
]
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
LONGEST = 2000
MOST = 40  # parameters


def _value(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise wrong("number")
    if not isinstance(value, bool | int | float | str) or (isinstance(value, str) and len(value) > LONGEST):
        raise wrong("preset_value")
    if isinstance(value, int) and abs(value) > 2**63:
        raise wrong("number")
    return value


def _span(value: Any) -> list[float]:
    numbers = list(value) if isinstance(value, list | tuple) else []
    good = [one for one in numbers if isinstance(one, int | float) and not isinstance(one, bool)]
    if len(numbers) != 2 or len(good) != 2 or not all(math.isfinite(one) for one in good):
        raise wrong("preset_span")
    if good[0] > good[1]:
        raise wrong("preset_span")
    return good


def _name(value: str) -> str:
    if not NAME.fullmatch(value):
        raise wrong("preset_lines", given=value[:40])
    return value


ParameterName = Annotated[str, AfterValidator(_name)]
Value = Annotated[Any, AfterValidator(_value)]
Span = Annotated[Any, AfterValidator(_span)]
Words = Annotated[str, Stripped, Field(max_length=LONGEST), Readable]


class PresetInput(Config):
    """Parameters for models; a caller's own go before them, within the limits."""

    name: Name = Field("", title="Name", description="For people; empty: the id.")
    models: Annotated[str, Stripped, Field(min_length=1, max_length=200), Readable] = Field(
        "*", title="Models", description="Patterns over model names, such as *flux*, separated by commas."
    )
    task: TaskName = Field("", title="Task", description="Empty: every task.")
    values: dict[ParameterName, Value] = Field(
        default_factory=dict, max_length=MOST, title="Parameters", description="steps, width, guidance, ..."
    )
    limits: dict[ParameterName, Span] = Field(
        default_factory=dict, max_length=MOST, title="Limits", description="The least and the most of each."
    )
    prefix: Words = Field("", title="Before the prompt")
    suffix: Words = Field("", title="After the prompt")
    negative: Words = Field("", title="Negative prompt", description="Where the caller gives none.")
    standard: bool = Field(True, title="Standard", description="Holds without being named.")


class NewPreset(PresetInput):
    """A preset with its id."""

    id: Slug


class KeepingInput(Config):
    """For how long what was made is kept, and whether its parameters are written into the file."""

    chats: int = Field(
        90, ge=0, le=3650, title="What people in chats asked for", description="Days; 0: for ever."
    )
    own: int = Field(
        0, ge=0, le=3650, title="What operators and programs made", description="Days; 0: for ever."
    )
    stamp_chats: bool = Field(False, title="Parameters in people's files")
    stamp_own: bool = Field(True, title="Parameters in operators' files")
