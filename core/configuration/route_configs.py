"""What people may set on a route."""

from pydantic import Field, field_validator

from core.configuration.configs import unique
from core.configuration.sampling_configs import SamplingConfig
from core.configuration.values import Candidate, Name, Slug


class RouteInput(SamplingConfig):
    """Who answers, in order."""

    name: Name = Field("", title="Name", description="For people; empty: the id.")
    candidates: list[Candidate] = Field(
        min_length=1,
        max_length=50,
        title="Candidates",
        description='In order: "provider:model", "provider:auto", "auto" or "knowledge".',
    )
    token_budget: int | None = Field(None, ge=500, le=2_000_000, title="Longest request, in tokens")
    deadline: float | None = Field(
        None, ge=5, le=600, title="Patience", description="Seconds in which attempts may begin; empty: 60."
    )
    first_token: float | None = Field(
        None, ge=0.5, le=300, title="First token", description="Seconds; empty: 15 local, 20 cloud."
    )
    content_fallback: bool = Field(
        True, title="Ask others", description="Ask the next model what one refused to answer."
    )
    local_only: bool = Field(
        False, title="Local only", description="Nothing leaves your own machines: cloud models are skipped."
    )
    show_reasoning: bool = Field(
        False, title="Show reasoning", description="People see how a model thought; else nobody does."
    )

    @field_validator("candidates")
    @classmethod
    def _candidates_once(cls, value: list[str]) -> list[str]:
        return unique(value)


class NewRoute(RouteInput):
    """A route with its id."""

    id: Slug
