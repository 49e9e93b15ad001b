"""The REST API under /api/v1: everything that the panel can do, for programs with a bearer token."""

from fastapi import APIRouter

from admin.api import (
    artifacts,
    compare,
    conversations,
    fleet,
    gateway_keys,
    instances,
    knowledge,
    limits,
    media_jobs,
    media_routes,
    models,
    presets,
    providers,
    routes,
    tokens,
    usage,
)
from admin.api.errors import broken, install_errors

__all__ = ["broken", "install_errors", "router"]

router = APIRouter(prefix="/api/v1")
for part in (
    fleet,
    instances,
    providers,
    models,
    routes,
    knowledge,
    limits,
    conversations,
    tokens,
    gateway_keys,
    compare,
    usage,
    artifacts,
    media_routes,
    presets,
    media_jobs,
):
    router.include_router(part.router)
