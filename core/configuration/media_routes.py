"""Routes of media models, as people edit them."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from core.configuration.changes import PANEL, Changes, changeable, found, no_such, refuse
from core.configuration.configs import Config
from core.configuration.errors import Conflict, Problem
from core.configuration.values import Name, Slug, Stripped
from core.configuration.views import managed_of
from core.media.routes import AUTO
from db import media
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


class MediaRoutes:
    """The media routes; ids are slugs."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def all(self) -> list[MediaRouteView]:
        """All, oldest first."""
        async with self._changes.database.reading() as conn:
            return [_view(row) for row in await media.all_of(conn, Row)]

    async def get(self, route_id: str) -> MediaRouteView:
        """One; raises NotFound."""
        async with self._changes.database.reading() as conn:
            return _view(found(await media.get_one(conn, Row, route_id), "route", route_id))

    async def create(self, actor: str, new: NewMediaRoute) -> MediaRouteView:
        """Make one. Raises Invalid or Conflict."""
        async with self._changes.begin(actor) as change:
            refuse(await _problems(change.conn, new))
            if await media.get_one(change.conn, Row, new.id):
                raise Conflict("taken", what="route", id=new.id)
            await media.save_one(change.conn, Row, new.id, **_columns(new.id, new), managed=PANEL)
            await change.audit("media_route.create", new.id)
        return await self.get(new.id)

    async def change(self, actor: str, route_id: str, config: MediaRouteInput) -> MediaRouteView:
        """Replace its settings. Raises NotFound, Invalid or ManagedByFile."""
        async with self._changes.begin(actor) as change:
            changeable(await media.get_one(change.conn, Row, route_id), "route", route_id)
            refuse(await _problems(change.conn, config))
            await media.save_one(change.conn, Row, route_id, **_columns(route_id, config), managed=PANEL)
            await change.audit("media_route.change", route_id)
        return await self.get(route_id)

    async def delete(self, actor: str, route_id: str) -> None:
        """Delete it. Raises NotFound or ManagedByFile."""
        async with self._changes.begin(actor) as change:
            changeable(await media.get_one(change.conn, Row, route_id), "route", route_id)
            await media.delete_one(change.conn, Row, route_id)
            await change.audit("media_route.delete", route_id)


async def _problems(conn: Any, config: MediaRouteInput) -> list[Problem]:
    """Lines that name no provider which makes pictures or videos."""
    known = [row.id for row in await all_providers(conn) if makes_media(row.kind)]
    problems = []
    for at, line in enumerate(config.candidates):
        provider, colon, model = line.partition(":")
        if line != AUTO and (provider not in known or not colon or not model):
            problems.append(no_such(f"candidates[{at}]", "provider", provider, known))
    return problems


def _columns(route_id: str, config: MediaRouteInput) -> dict[str, Any]:
    settings = {"blocked_words": config.blocked_words, "moderation_url": config.moderation_url}
    return {
        "name": config.name or route_id, "makes": config.makes, "candidates": list(config.candidates),
        "settings": {name: value for name, value in settings.items() if value},
    }  # fmt: skip


def _view(row: Any) -> MediaRouteView:
    return MediaRouteView(
        row.id, row.name, row.makes, list(row.candidates), list(row.settings.get("blocked_words", ())),
        row.settings.get("moderation_url"), managed_of(row), row.created_at, row.updated_at,
    )  # fmt: skip
