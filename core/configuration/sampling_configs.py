"""Generation settings as people may set them, on routes, characters and conversations."""

from typing import Literal

from pydantic import Field

from core.configuration.configs import Config

Length = Literal["short", "medium", "long", "very_long"]


class SamplingConfig(Config):
    """Each is left to the next wider place when it is empty: conversation, character, route, vendor."""

    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False, title="Temperature")
    top_p: float | None = Field(None, gt=0, le=1, allow_inf_nan=False, title="Top-p")
    top_k: int | None = Field(None, ge=1, le=1000, title="Top-k")
    frequency_penalty: float | None = Field(None, ge=-2, le=2, allow_inf_nan=False, title="Frequency penalty")
    presence_penalty: float | None = Field(None, ge=-2, le=2, allow_inf_nan=False, title="Presence penalty")
    max_tokens: int | None = Field(None, ge=1, le=1_000_000, title="Longest answer, in tokens")
    length: Length | None = Field(None, title="Answer length")
