"""The web process: `python -m admin`."""

import asyncio
import logging
import signal
import socket
import sys
import time

import uvicorn
import uvloop
from pydantic import ValidationError

from admin.app import create_app
from admin.protocol import LimitedProtocol
from admin.services import wired
from core.fleet.control import SOCKET_NAME, Control
from core.settings import Settings, load_settings
from db.database import Database

logger = logging.getLogger("admin")
NOT_FREE = 75
BAD_CONFIGURATION = 78
PATIENCE = 10.0  # a web process that was killed lets go of its port only after a while
BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; waits a while for the port. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


async def serve(settings: Settings, listener: socket.socket) -> int:
    """Serve until told to stop; returns the exit code."""
    database = Database(settings.database_url, connections=4)
    control = await Control.connect(settings.run_dir / SOCKET_NAME)
    services = wired(settings, database, control)
    try:
        config = uvicorn.Config(
            create_app(services),
            http=LimitedProtocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=3,
        )
        server = uvicorn.Server(config)
        logger.info("listening on %s", settings.url)
        await server.serve(sockets=[listener])
        return 0 if server.started else 1
    finally:
        await services.router.close()
        await control.close()
        await database.close()


def main() -> int:
    """Read the settings and serve; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _heard)
    try:
        settings = load_settings()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            logger.error("%s: %s", ".".join(map(str, problem["loc"])), problem["msg"])
        return BAD_CONFIGURATION
    try:
        listener = listen(settings.host, settings.port)
    except OSError as error:
        logger.error("cannot listen on %s port %s: %s", settings.host, settings.port, error.strerror)
        return NOT_FREE
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(settings, listener))


def _heard(_number: int, _frame: object) -> None:
    """uvicorn drains, then raises the signal again: by then there is nothing left to do."""


if __name__ == "__main__":
    sys.exit(main())
