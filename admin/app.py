"""The web process's application, put together."""

import importlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette_compress import CompressMiddleware, remove_compress_type

from admin import assets, mcp, monitoring, pages, widget_routes
from admin.api.errors import broken, install_errors
from admin.gateway import gateway
from admin.i18n import language_of
from admin.late import Late
from admin.live import Live
from admin.pages.page import bare, sign_in_url
from admin.security import BodyLimit, Forged, SecurityHeaders
from admin.services import Services
from admin.sign_in import Forbidden, SignInNeeded, Throttle
from admin.templating import Templates
from core.media.opening import open_store
from core.trial import end_all

REST = "admin.api.rest"
logger = logging.getLogger(__name__)


def create_app(services: Services) -> FastAPI:
    """The panel, the APIs, and the way to the widgets."""
    cache = services.settings.home / "cache"
    files = assets.Assets(cache / "static")
    app = FastAPI(title="Botyard", openapi_url=None, lifespan=_lifespan)
    app.state.services = services
    app.state.assets = files
    app.state.templates = Templates(files, cache / "templates")
    app.state.live = Live(services.control)
    app.state.throttle = Throttle()
    app.state.media = open_store(services.settings)
    app.include_router(monitoring.router)
    app.router.routes.append(Late(partial(_rest, app), "/api/", "/openapi.json"))
    app.include_router(assets.router)
    app.router.routes.extend(pages.router.routes)
    widget_routes.install(app)
    install_errors(app)
    _install_errors(app)
    remove_compress_type("text/event-stream")
    app.add_middleware(CompressMiddleware, zstd_level=3)
    app.add_middleware(BodyLimit)
    app.add_middleware(SecurityHeaders)
    gateway.install(app, services)
    mcp.install(app, services)
    return app


def _rest(app: FastAPI) -> FastAPI:
    made: FastAPI = importlib.import_module(REST).rest_app(app.state)
    _install_errors(made)
    return made


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    live: Live = app.state.live
    live.start()
    yield
    await live.close()
    await end_all()


def _install_errors(app: FastAPI) -> None:
    app.add_exception_handler(SignInNeeded, _sign_in_needed)
    app.add_exception_handler(Forbidden, _forbidden)
    app.add_exception_handler(Forged, _forged)
    for kind in (HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _for_pages(app.exception_handlers.get(kind)))
    app.add_exception_handler(Exception, _broken)


def _for_pages(other: Any) -> Callable[[Request, Exception], Awaitable[Response]]:
    """A page for readers of the panel; everybody else gets what the APIs answer."""

    async def handle(request: Request, error: Exception) -> Response:
        if other is not None and not _is_page(request):
            answer: Response = await other(request, error)
            return answer
        return problem(request, getattr(error, "status_code", 400))

    return handle


def problem(request: Request, status: int) -> Response:
    """A page that says what went wrong."""
    t = language_of(request)
    texts = {
        403: (t("This is not yours to change"), t("Your role allows reading. Ask an owner for more.")),
        404: (t("There is nothing here"), t("It may have been deleted, or the address is wrong.")),
        413: (t("That is too large"), t("A form may have 1 MB, a document 20 MB.")),
        400: (t("The request was refused"), t("It did not come from this page. Load the page again.")),
    }
    default = (t("Something went wrong"), t("It is in the log of the web process. Try again."))
    title, text = texts.get(status, default)
    if request.headers.get("hx-request"):
        return HTMLResponse(text, status, headers={"hx-reswap": "none"})
    return bare(request, "problem.html", status, title=title, text=text)


def _is_page(request: Request) -> bool:
    return not request.url.path.startswith(("/api/", "/v1/", "/w/", "/static/", "/mcp"))


async def _sign_in_needed(request: Request, _error: Exception) -> Response:
    url = sign_in_url(request)
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"hx-redirect": "/sign-in"})
    return Response(status_code=303, headers={"location": url})


async def _forbidden(request: Request, _error: Exception) -> Response:
    return problem(request, 403)


async def _forged(request: Request, _error: Exception) -> Response:
    return problem(request, 400)


async def _broken(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    if request.url.path.startswith("/api/"):
        return broken(request)
    if not _is_page(request) or not hasattr(request.state, "nonce"):
        return Response("Internal error", 500)
    return problem(request, 500)
