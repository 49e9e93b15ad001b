"""Routes: who answers."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core import sampling
from core.configuration.changes import PANEL, Changes, changeable, found, no_such, refuse, refuse_use
from core.configuration.errors import Conflict, Problem
from core.configuration.route_configs import NewRoute, RouteInput
from core.configuration.values import provider_of
from core.configuration.views import Route, managed_of
from db import channels, providers, routes

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


async def _check_candidates(conn: AsyncConnection, config: RouteInput) -> None:
    refuse(candidate_problems(config, [row.id for row in await providers.all_providers(conn)]))


class Routes:
    """The routes; ids are slugs."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def all(self) -> list[Route]:
        """All of them, oldest first."""
        async with self._changes.database.reading() as conn:
            return [_route(row) for row in await routes.all_of(conn, routes.Route)]

    async def get(self, route_id: str) -> Route:
        """One; raises NotFound."""
        async with self._changes.database.reading() as conn:
            row = await routes.get_one(conn, routes.Route, route_id)
        return _route(found(row, "route", route_id))

    async def create(self, actor: str, new: NewRoute, managed: str = PANEL) -> Route:
        """Make one. Raises Invalid or Conflict."""
        async with self._changes.begin(actor) as change:
            if await routes.get_one(change.conn, routes.Route, new.id):
                raise Conflict("taken", what="route", id=new.id)
            await _check_candidates(change.conn, new)
            values = {**route_values(new.id, new), "managed": managed}
            await routes.save_one(change.conn, routes.Route, new.id, **values)
            await change.audit("route.create", new.id)
        return await self.get(new.id)

    async def change(self, actor: str, route_id: str, config: RouteInput) -> Route:
        """Replace its settings. Raises NotFound, Invalid or ManagedByFile."""
        async with self._changes.begin(actor) as change:
            changeable(await routes.get_one(change.conn, routes.Route, route_id), "route", route_id)
            await _check_candidates(change.conn, config)
            values = {**route_values(route_id, config), "managed": PANEL}
            await routes.save_one(change.conn, routes.Route, route_id, **values)
            await change.audit("route.change", route_id)
        return await self.get(route_id)

    async def delete(self, actor: str, route_id: str) -> None:
        """Delete it; refused while an instance names it."""
        async with self._changes.begin(actor) as change:
            changeable(await routes.get_one(change.conn, routes.Route, route_id), "route", route_id)
            users = [row.slug for row in await channels.all_channels(change.conn) if row.route_id == route_id]
            refuse_use("route", route_id, users)
            await routes.delete_one(change.conn, routes.Route, route_id)
            await change.audit("route.delete", route_id)


def _route(row: Any) -> Route:
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
