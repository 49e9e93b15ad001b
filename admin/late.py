"""A part of the web process that is imported and built only when the first request for it comes."""

import asyncio
from collections.abc import Callable

from starlette.datastructures import URLPath
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import ASGIApp, Receive, Scope, Send


class Late(BaseRoute):
    """What begins with one of `prefixes` goes to the application that `build` makes, once, in a thread."""

    def __init__(self, build: Callable[[], ASGIApp], *prefixes: str) -> None:
        self._build = build
        self._prefixes = prefixes
        self._app: ASGIApp | None = None
        self._building = asyncio.Lock()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """By the beginning of the path."""
        ours = scope["type"] == "http" and scope["path"].startswith(self._prefixes)
        return (Match.FULL if ours else Match.NONE), {}

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        """Nothing here has a name outside."""
        raise NoMatchFound(name, dict(path_params))

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass it on, unchanged."""
        async with self._building:
            if self._app is None:
                self._app = await asyncio.to_thread(self._build)
        await self._app(scope, receive, send)
