"""The panel's pages: one module a room; a new room is a line here and one in page.NAVIGATION."""

from fastapi import APIRouter

from admin.pages import (
    access,
    bases,
    characters,
    compare,
    conversations,
    dashboard,
    engines,
    entry,
    files,
    first_steps,
    gallery,
    gateway_keys,
    instances,
    limits,
    logs,
    media_routes,
    models,
    palette,
    playground,
    presets,
    providers,
    queue,
    routes,
    usage,
)

router = APIRouter(include_in_schema=False)
for _room in (access, bases, characters, compare, conversations, dashboard, engines, entry, files,
              first_steps, gallery, gateway_keys, instances, limits, logs, media_routes, models, palette,
              playground, presets, providers, queue, routes, usage):  # fmt: skip
    router.routes.extend(_room.router.routes)  # include_router would analyse every route again
