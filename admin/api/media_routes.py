"""Routes of media models: who makes pictures and videos, in order."""

from collections.abc import Sequence

from admin.api.calls import Actor, Config, Id, api_router
from core.configuration.media_routes import MediaRouteInput, MediaRouteView, NewMediaRoute

router = api_router("media routes")


@router.get("/media-routes")
async def list_media_routes(configuration: Config) -> Sequence[MediaRouteView]:
    """Every media route."""
    return await configuration.media_routes.all()


@router.post("/media-routes", status_code=201)
async def create_media_route(new: NewMediaRoute, configuration: Config, actor: Actor) -> MediaRouteView:
    """Make a media route."""
    return await configuration.media_routes.create(actor, new)


@router.get("/media-routes/{route_id}")
async def get_media_route(route_id: Id, configuration: Config) -> MediaRouteView:
    """One media route."""
    return await configuration.media_routes.get(route_id)


@router.put("/media-routes/{route_id}")
async def change_media_route(
    route_id: Id, config: MediaRouteInput, configuration: Config, actor: Actor
) -> MediaRouteView:
    """Replace a media route."""
    return await configuration.media_routes.change(actor, route_id, config)


@router.delete("/media-routes/{route_id}", status_code=204)
async def delete_media_route(route_id: Id, configuration: Config, actor: Actor) -> None:
    """Delete a media route."""
    await configuration.media_routes.delete(actor, route_id)
