"""What websites load from Botyard: the widget's loader, configuration, code, and the way to its process."""

import gzip
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from admin.demo import demo
from admin.services import Services, services_of
from admin.widget_proxy import Proxy, TooLarge, Unavailable
from core.configuration.changes import GONE
from core.configuration.channels import WIDGET
from core.instances import DEFAULT
from db import channels, routes, slugs
from widget.accent import accent
from widget.origins import allowed, own_origins
from widget.refusals import Refused

DIST = Path(__file__).resolve().parent.parent / "widget" / "dist"
SLUG = re.compile(r"[a-z0-9_-]{1,32}\Z")
SCRIPT = "text/javascript; charset=utf-8"
ANYWHERE = {"access-control-allow-origin": "*", "cross-origin-resource-policy": "cross-origin"}
BRIEFLY = "public, max-age=300, stale-while-revalidate=86400"
FOREVER = "public, max-age=31536000, immutable"


class Script:
    """A built file, read and compressed once."""

    def __init__(self, name: str) -> None:
        self.body = (DIST / name).read_bytes()
        self.packed = gzip.compress(self.body, 9, mtime=0)
        self.digest = hashlib.sha256(self.body).hexdigest()[:12]

    def answer(self, request: Request, caching: str) -> Response:
        """The file, for a page of any origin."""
        etag = f'"{self.digest}"'
        headers = {"cache-control": caching, "etag": etag, "vary": "accept-encoding", **ANYWHERE}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["content-encoding"] = "gzip"
            return Response(self.packed, media_type=SCRIPT, headers=headers)
        return Response(self.body, media_type=SCRIPT, headers=headers)


class Widgets:
    """The endpoints under /w/."""

    def __init__(self) -> None:
        self._loader = Script("loader.js")
        self._core = Script("core.js")
        self.proxy = Proxy()

    async def loader(self, request: Request) -> Response:
        """The script that a website's page names."""
        try:
            await _widget(services_of(request), request.path_params["slug"])
        except Refused as error:
            text = f"console.warn({json.dumps('Botyard: ' + _message(request, error))})"
            return Response(text, error.status, media_type=SCRIPT, headers=ANYWHERE)
        return self._loader.answer(request, BRIEFLY)

    async def core(self, request: Request) -> Response:
        """The chat's code; the hash in its address is for caches."""
        return self._core.answer(request, FOREVER)

    async def config(self, request: Request) -> Response:
        """What the launcher and the panel show, from the rows; the widget's process may be down."""
        services = services_of(request)
        origin = request.headers.get("origin")
        try:
            row = await _widget(services, request.path_params["slug"])
            own = own_origins(request.headers, request.url.scheme, services.settings)
            if not allowed(row.config.get("origins") or (), request.headers, own):
                origin = None
                raise Refused("origin_refused")
            data = await self._public(services, row)
        except Refused as error:
            return JSONResponse(error.body(_language(request)), error.status, headers=_cors(origin))
        body = json.dumps(data, ensure_ascii=False).encode()
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        headers = {"etag": etag, "cache-control": "no-cache", **_cors(origin)}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Everything else is answered by the widget's process."""
        request = Request(scope)
        slug = request.path_params["slug"]
        services = services_of(request)
        try:
            if not SLUG.match(slug):
                raise Refused("not_found")
            try:
                path = services.settings.run_dir / f"{WIDGET}-{slug}.sock"
                await self.proxy.handle(path, scope, receive, send)
            except TooLarge:
                raise Refused("too_large") from None
            except Unavailable:
                await _widget(services, slug)
                raise Refused("unavailable", after=1) from None
        except Refused as error:
            await _refusal(request, error)(scope, receive, send)

    async def _public(self, services: Services, row: Any) -> dict[str, Any]:
        async with services.database.reading() as conn:
            character = await slugs.get_one(conn, routes.Character, row.character_id or DEFAULT)
        name = character.name if character and character.id != DEFAULT else ""
        return {
            "id": row.slug,
            "title": row.config.get("title") or name or row.name or row.slug,
            "greeting": character.greeting.strip() if character else "",
            "core": f"assets/{self._core.digest}/core.js",
            "accent": accent(row.config.get("color")),
        }


def install(app: Starlette) -> None:
    """Add the demo page and all of /w/ to the web process's application."""
    widgets = Widgets()
    app.router.routes[:0] = [  # first: the panel has a hundred routes, and every event of a page passes here
        Route("/demo", demo, methods=["GET"]),
        Route("/w/assets/{digest}/core.js", widgets.core, methods=["GET"]),
        Route("/w/{slug}.js", widgets.loader, methods=["GET"]),
        Route("/w/{slug}/config", widgets.config, methods=["GET"]),
        Route("/w/{slug}/{rest:path}", widgets),
    ]
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(running: Any) -> AsyncIterator[Any]:
        async with inner(running) as state:
            try:
                yield state
            finally:
                widgets.proxy.close()

    app.router.lifespan_context = lifespan


async def _widget(services: Services, slug: str) -> Any:
    """The row of a widget that should run. Raises Refused."""
    row = None
    if SLUG.match(slug):
        async with services.database.reading() as conn:
            row = await channels.find_channel(conn, WIDGET, slug)
    if row is None or not row.enabled or row.managed == GONE:
        raise Refused("no_widget")
    return row


def _cors(origin: str | None) -> dict[str, str]:
    return {"vary": "origin"} | ({"access-control-allow-origin": origin} if origin else {})


def _language(request: Request) -> str:
    wanted = request.query_params.get("lang") or request.headers.get("accept-language", "")
    return "ru" if wanted[:2].lower() == "ru" else "en"


def _message(request: Request, error: Refused) -> str:
    return error.body(_language(request))["error"]["message"]


def _refusal(request: Request, error: Refused) -> JSONResponse:
    # Any page may read this: it is nothing but our own words, and says more than a failed request.
    headers = {"access-control-allow-origin": "*", "access-control-expose-headers": "Retry-After"}
    if request.method == "OPTIONS":
        headers |= {"access-control-allow-headers": "*", "access-control-allow-methods": "*"}
    if error.after:
        headers["retry-after"] = str(error.after)
    return JSONResponse(error.body(_language(request)), error.status, headers=headers)
