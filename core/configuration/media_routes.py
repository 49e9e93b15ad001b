"""Routes of media models, as people edit them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from core.configuration.changes import no_such
from core.configuration.configs import Config
from core.configuration.errors import Problem
from core.configuration.slugged import Slugged
from core.configuration.values import Name, Slug, Stripped
from core.configuration.views import managed_of
from core.media.routes import AUTO
from db.channels import all_channels
from db.media import MediaRoute as Row
from db.providers import all_providers
from providers.media.registry import makes_media

Line = Annotated[str, Stripped, Field(min_length=1, max_length=240)]
Word = Annotated[str, Stripped, Field(min_length=1, max_length=80)]


class MediaRouteInput(Config):
    """A media route's settings."""

    name: Name = Field("", title="Name", description="For people; empty: the id.")
    makes: Literal["image", "video"] = Field(title="Makes")
    candidates: list[Line] = Field(
        default_factory=list, max_length=50, title="Candidates",
        description="provider:model, provider:auto or auto, in the order in which they are asked.",
    )  # fmt: skip
    blocked_words: list[Word] = Field(
        default_factory=list,
        max_length=500,
        title="Blocked words",
        description="Orders with them are refused.",
    )
    moderation_url: str | None = Field(
        None, max_length=500, pattern="^https?://", title="Moderation service",
        description="Asked before a job begins and after it was made.",
    )  # fmt: skip


class NewMediaRoute(MediaRouteInput):
    """A media route with its id."""

    id: Slug


@dataclass(frozen=True, slots=True)
class MediaRouteView:
    """A media route."""

    id: str
    name: str
    makes: str
    candidates: list[str]
    blocked_words: list[str]
    moderation_url: str | None
    managed: str
    created_at: float
    updated_at: float


def media_route_values(route_id: str, config: MediaRouteInput) -> dict[str, Any]:
    """A media route's columns."""
    settings = {"blocked_words": config.blocked_words, "moderation_url": config.moderation_url}
    return {
        "name": config.name or route_id, "makes": config.makes, "candidates": list(config.candidates),
        "settings": {name: value for name, value in settings.items() if value},
    }  # fmt: skip


def line_problems(config: MediaRouteInput, able: Sequence[str], known: Sequence[str]) -> list[Problem]:
    """Lines that name no provider which makes pictures or videos (`able`; `known` are all), or no model."""
    problems = []
    for at, line in enumerate(config.candidates):
        place = f"candidates[{at}]"
        provider, colon, model = line.partition(":")
        if line == AUTO:
            continue
        if not colon or not model.strip():
            problems.append(Problem(place, "media_line", {"given": line}))
        elif provider in known and provider not in able:
            problems.append(Problem(place, "makes_no_media", {"given": provider}))
        elif provider not in able:
            problems.append(no_such(place, "provider", provider, able))
    return problems


class MediaRoutes(Slugged[MediaRouteView, NewMediaRoute, MediaRouteInput]):
    """The media routes; ids are slugs."""

    kind, what, audited = Row, "media_route", "media_route"

    async def _problems(self, conn: AsyncConnection, config: MediaRouteInput) -> list[Problem]:
        rows = await all_providers(conn)
        able = [one.id for one in rows if makes_media(one.kind)]
        return line_problems(config, able, [one.id for one in rows])

    async def _users(self, conn: AsyncConnection, row_id: str) -> list[str]:
        rows = await all_channels(conn)
        return [row.slug for row in rows if row_id in map(row.config.get, ("image_route", "video_route"))]

    def _columns(self, row_id: str, config: MediaRouteInput) -> dict[str, Any]:
        return media_route_values(row_id, config)

    def _view(self, row: Any) -> MediaRouteView:
        return MediaRouteView(
            row.id, row.name, row.makes, list(row.candidates), list(row.settings.get("blocked_words", ())),
            row.settings.get("moderation_url"), managed_of(row), row.created_at, row.updated_at,
        )  # fmt: skip
