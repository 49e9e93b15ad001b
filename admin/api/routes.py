"""Routes and characters."""

from collections.abc import Sequence

from fastapi import APIRouter

from admin.api.calls import Actor, Config, Id, api_router
from core.configuration.character_configs import CharacterInput, NewCharacter
from core.configuration.route_configs import NewRoute, RouteInput
from core.configuration.views import Character, Route

router = APIRouter()
routes = api_router("routes")
characters = api_router("characters")


@routes.get("/routes")
async def list_routes(configuration: Config) -> Sequence[Route]:
    """Every route, oldest first."""
    return await configuration.routes.all()


@routes.post("/routes", status_code=201)
async def create_route(new: NewRoute, configuration: Config, actor: Actor) -> Route:
    """Make a route."""
    return await configuration.routes.create(actor, new)


@routes.get("/routes/{route_id}")
async def get_route(route_id: Id, configuration: Config) -> Route:
    """One route."""
    return await configuration.routes.get(route_id)


@routes.put("/routes/{route_id}")
async def change_route(route_id: Id, config: RouteInput, configuration: Config, actor: Actor) -> Route:
    """Replace a route."""
    return await configuration.routes.change(actor, route_id, config)


@routes.delete("/routes/{route_id}", status_code=204)
async def delete_route(route_id: Id, configuration: Config, actor: Actor) -> None:
    """Delete a route that no instance names."""
    await configuration.routes.delete(actor, route_id)


@characters.get("/characters")
async def list_characters(configuration: Config) -> Sequence[Character]:
    """Every character, oldest first."""
    return await configuration.characters.all()


@characters.post("/characters", status_code=201)
async def create_character(new: NewCharacter, configuration: Config, actor: Actor) -> Character:
    """Make a character."""
    return await configuration.characters.create(actor, new)


@characters.get("/characters/{character_id}")
async def get_character(character_id: Id, configuration: Config) -> Character:
    """One character."""
    return await configuration.characters.get(character_id)


@characters.put("/characters/{character_id}")
async def change_character(
    character_id: Id, config: CharacterInput, configuration: Config, actor: Actor
) -> Character:
    """Replace a character."""
    return await configuration.characters.change(actor, character_id, config)


@characters.delete("/characters/{character_id}", status_code=204)
async def delete_character(character_id: Id, configuration: Config, actor: Actor) -> None:
    """Delete a character that no instance names."""
    await configuration.characters.delete(actor, character_id)


router.include_router(routes)
router.include_router(characters)
