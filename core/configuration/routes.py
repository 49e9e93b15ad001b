"""Routes: who answers."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core import sampling
from core.configuration.changes import no_such
from core.configuration.errors import Problem
from core.configuration.route_configs import NewRoute, RouteInput
from core.configuration.slugged import Slugged
from core.configuration.values import provider_of
from core.configuration.views import Route, managed_of
from db import channels, providers
from db.routes import Route as Row

OPTIONAL = (*sampling.FIELDS, "token_budget", "deadline", "first_token")
SWITCHES = {"content_fallback": True, "local_only": False, "show_reasoning": False}  # and their defaults


def route_values(route_id: str, config: RouteInput) -> dict[str, Any]:
    """A route's columns; settings that are not given are left out."""
    given = {name: getattr(config, name) for name in OPTIONAL}
    switched = {
        name: getattr(config, name) for name, usual in SWITCHES.items() if getattr(config, name) != usual
    }
    return {
        "name": config.name or route_id,
        "candidates": config.candidates,
        "settings": {name: value for name, value in given.items() if value is not None} | switched,
    }


def candidate_problems(config: RouteInput, known: list[str]) -> list[Problem]:
    """Candidates whose provider does not exist."""
    named = [(position, provider_of(candidate)) for position, candidate in enumerate(config.candidates)]
    return [
        no_such(f"candidates[{position}]", "provider", provider, known)
        for position, provider in named
        if provider is not None and provider not in known
    ]


class Routes(Slugged[Route, NewRoute, RouteInput]):
    """The routes; ids are slugs."""

    kind, what, audited = Row, "route", "route"

    async def _problems(self, conn: AsyncConnection, config: RouteInput) -> list[Problem]:
        return candidate_problems(config, [row.id for row in await providers.all_providers(conn)])

    async def _users(self, conn: AsyncConnection, row_id: str) -> list[str]:
        return [row.slug for row in await channels.all_channels(conn) if row.route_id == row_id]

    def _columns(self, row_id: str, config: RouteInput) -> dict[str, Any]:
        return route_values(row_id, config)

    def _view(self, row: Any) -> Route:
        return Route(
            id=row.id,
            name=row.name,
            candidates=list(row.candidates),
            **{name: row.settings.get(name) for name in OPTIONAL},
            **{name: row.settings.get(name, usual) for name, usual in SWITCHES.items()},
            managed=managed_of(row),
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
