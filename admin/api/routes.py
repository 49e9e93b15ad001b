"""Routes and characters."""

from collections.abc import Sequence

from fastapi import APIRouter
from pydantic import BaseModel

from admin.api.calls import Actor, Config, Id, Parts, api_router
from core.configuration.character_configs import CharacterInput, NewCharacter
from core.configuration.route_configs import NewRoute, RouteInput
from core.configuration.views import Character, Route
from core.routing.states import CandidateState

router = APIRouter()
routes = api_router("routes")
characters = api_router("characters")


class RouteCandidate(BaseModel):
    """How one model with one key of a route is: `state` is healthy, cooling, trial or off; `until` is in UTC
    epoch seconds; `reason` is the class of error that it rests for, `skipped` why it is never asked."""

    candidate: str
    provider: str
    model: str
    key: int
    state: str
    until: float | None
    reason: str
    failures: int
    skipped: str


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


@routes.get("/routes/{route_id}/state")
async def route_state(route_id: Id, configuration: Config, parts: Parts) -> Sequence[RouteCandidate]:
    """How each candidate of a route is now, in the order in which they are asked."""
    await configuration.routes.get(route_id)
    spec = (await parts.book.current()).routes.get(route_id)
    return [_candidate(one) for one in await parts.router.states(spec)] if spec is not None else []


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


def _candidate(one: CandidateState) -> RouteCandidate:
    return RouteCandidate(
        candidate=one.line, provider=one.provider_id, model=one.model, key=one.key_number, state=one.state,
        until=one.until, reason=one.error_class, failures=one.failures, skipped=one.skipped,
    )  # fmt: skip


router.include_router(routes)
router.include_router(characters)
