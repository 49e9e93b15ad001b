"""What stands before the MCP server: the key is checked first; the library is loaded for the first call."""

import asyncio
import importlib
import logging
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from admin.closing import on_close
from admin.gateway.access import Access
from admin.gateway.errors import ApiError
from admin.gateway.http import as_headers, send_json
from admin.gateway.images_desk import tell_uses
from admin.gateway.images_reading import Caller
from admin.services import Services
from core.fleet.control import ControlError

PATHS = ("/mcp", "/mcp/")
SERVER = "admin.mcp.server"  # brings the library: 28 MB that only callers of MCP pay for
CALLER = "mcp_caller"
logger = logging.getLogger(__name__)


class Front:
    """Lets callers in, and runs the server from the first call on."""

    def __init__(self, app: ASGIApp, services: Services, server: "Lazy") -> None:
        self._app = app
        self._services = services
        self._access = Access(services.gateway_keys, services.book)
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["path"] not in PATHS:
            await self._app(scope, receive, send)
            return
        try:
            key = await self._access.key_of(scope)
            await tell_uses(self._services)
            serve = await self._server.ready()
        except ApiError as error:
            await send_json(send, error.status, error.encoded(), as_headers(error.headers))
            return
        except (ControlError, SQLAlchemyError) as error:
            logger.warning("mcp: %s", error)
            busy = ApiError(503, "Botyard cannot read its configuration just now.", "server_error")
            await send_json(send, 503, busy.encoded(), [(b"retry-after", b"2")])
            return
        scope.setdefault("state", {})[CALLER] = Caller(key, "mcp")
        await serve(scope, receive, send)


class Lazy:
    """The server, begun when it is first needed."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._beginning = asyncio.Lock()
        self._closing = asyncio.Event()
        self._serve: ASGIApp | None = None
        self._running: asyncio.Task[None] | None = None

    async def ready(self) -> ASGIApp:
        """What answers requests."""
        async with self._beginning:
            if self._serve is None:
                module = await asyncio.to_thread(importlib.import_module, SERVER)
                manager = module.make(self._services)
                begun = asyncio.Event()
                self._running = asyncio.create_task(self._run(manager, begun))
                await begun.wait()
                self._serve = manager.handle_request
            return self._serve

    async def close(self) -> None:
        """End what runs."""
        self._closing.set()
        if self._running is not None:
            await self._running

    async def _run(self, manager: Any, begun: asyncio.Event) -> None:
        async with manager.run():
            begun.set()
            await self._closing.wait()


def install(app: Starlette, services: Services) -> None:
    """Put the MCP server in front of the web process's application: its streams pass no other middleware."""
    server = Lazy(services)
    app.add_middleware(Front, services=services, server=server)
    on_close(app, server.close)
