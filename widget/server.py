"""An ASGI application on a Unix socket, on uvicorn's protocol without its server loop.

`uvicorn.Server` wakes up ten times a second and takes over the signals; a channel process wants neither.
"""

import asyncio
import contextlib
import os
import socket
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

KEEP_ALIVE = 75  # seconds; longer than the web process keeps an idle connection
CLOSE_WITHIN = 2.0


class SocketServer:
    """Listens on `path` with mode 0600, in place of whatever was there before."""

    def __init__(self, app: ASGIApp, path: Path) -> None:
        self._path = path
        self._state = ServerState()
        self._config = _settings(app)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Bind and listen. Raises OSError."""
        self._config.load()
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        sock = _bound(self._path)
        self._server = await asyncio.get_running_loop().create_unix_server(self._protocol, sock=sock)

    async def close(self) -> None:
        """Stop listening; requests that run get a moment to end."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=CLOSE_WITHIN)
        for task in self._state.tasks:
            task.cancel()
        for connection in list(self._state.connections):
            if connection.transport is not None:
                connection.transport.abort()

    @classmethod
    def rehearse(cls) -> None:
        """Import the protocol before a fork."""
        _settings(_nothing).load()

    def _protocol(self) -> asyncio.Protocol:
        return self._config.http_protocol_class(  # type: ignore[call-arg]
            config=self._config, server_state=self._state, app_state={}
        )


def _settings(app: ASGIApp) -> Config:
    return Config(
        app, loop="none", http="httptools", ws="none", lifespan="off", log_config=None, access_log=False,
        proxy_headers=False, server_header=False, date_header=False, timeout_keep_alive=KEEP_ALIVE,
    )  # fmt: skip


async def _nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    return None


def _bound(path: Path) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    finally:
        os.umask(before)
    sock.listen(512)
    return sock
