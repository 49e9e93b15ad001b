"""The REST API as an application, made when the first request for it comes: to import it takes as long as all
else of the web process, and a quarter of its memory."""

from fastapi import APIRouter, FastAPI
from starlette.datastructures import State

from admin import monitoring
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
from admin.api.errors import install_errors

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


def rest_app(state: State) -> FastAPI:
    """/api/v1 and /openapi.json, over the parts of the web process."""
    app = FastAPI(title="Botyard", docs_url=None, redoc_url=None)
    app.state = state
    app.include_router(router)
    app.include_router(monitoring.router)  # for the document: the web process itself answers these
    install_errors(app)
    return app
