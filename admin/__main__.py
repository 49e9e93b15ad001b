"""The web process: `python -m admin`."""

import asyncio
import logging
import sys

import uvicorn
import uvloop
from pydantic import ValidationError

from admin.app import create_app
from admin.services import Services
from core.fleet.control import SOCKET_NAME, Control
from core.settings import Settings, load_settings
from db.database import Database

logger = logging.getLogger("admin")
BAD_CONFIGURATION = 78
NOT_STARTED = 75


async def serve(settings: Settings) -> int:
    """Serve until told to stop; returns the exit code."""
    database = Database(settings.database_url, connections=4)
    control = await Control.connect(settings.run_dir / SOCKET_NAME)
    try:
        app = create_app(Services(settings, database, control))
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                loop="uvloop",
                http="httptools",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=3,
            )
        )
        await server.serve()
        return 0 if server.started else NOT_STARTED
    finally:
        await control.close()
        await database.close()


def main() -> int:
    """Read the settings and serve; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        settings = load_settings()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            logger.error("%s: %s", ".".join(map(str, problem["loc"])), problem["msg"])
        return BAD_CONFIGURATION
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(settings))


if __name__ == "__main__":
    sys.exit(main())
