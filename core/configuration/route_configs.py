"""What people may set on a route."""

from pydantic import Field, field_validator

from core.configuration.configs import Config, unique
from core.configuration.values import Candidate, Name, Slug


class RouteInput(Config):
    """Who answers, in order."""

    name: Name = Field("", title="Name", description="For people; empty: the id.")
    candidates: list[Candidate] = Field(
        min_length=1,
        max_length=50,
        title="Candidates",
        description='In order: "provider:model", "provider:auto" or "knowledge".',
    )
    temperature: float | None = Field(None, ge=0, le=2, allow_inf_nan=False, title="Temperature")
    top_p: float | None = Field(None, gt=0, le=1, allow_inf_nan=False, title="Top-p")
    max_tokens: int | None = Field(None, ge=1, le=1_000_000, title="Longest answer, in tokens")
    token_budget: int | None = Field(None, ge=500, le=2_000_000, title="Longest request, in tokens")

    @field_validator("candidates")
    @classmethod
    def _candidates_once(cls, value: list[str]) -> list[str]:
        return unique(value)


class NewRoute(RouteInput):
    """A route with its id."""

    id: Slug
