"""What a new installation draws with: this machine's own engine host, started when a picture is asked for.

Without a GPU it has the demo painter, so that everything can be tried; with one, what models are on the disk.
"""

import secrets
from collections.abc import Awaitable, Callable

from core.configuration.changes import SETUP, key_secret
from core.configuration.providers import key_hint
from core.media.routes import DEFAULTS
from db import media, providers
from db.base import new_id
from db.database import Database
from db.settings import bump_config

ENGINE = "engine"
NAMES = {"image": "Pictures", "video": "Videos"}


async def add_studio(database: Database, seal: Callable[[str, str], Awaitable[str]], port: int) -> None:
    """The provider of the engine host with a token of its own, a route for pictures and one for videos."""
    key_id, token = new_id(), secrets.token_urlsafe(32)
    sealed = await seal(key_secret(key_id), token)
    async with database.transaction() as conn:
        if await providers.get_provider(conn, ENGINE) is not None:
            return
        await providers.save_provider(
            conn, ENGINE, kind=ENGINE, name="This machine", base_url=f"http://127.0.0.1:{port}/v1",
            config={"here": True}, enabled=True, managed=SETUP,
        )  # fmt: skip
        key = {"id": key_id, "secret": sealed, "hint": key_hint(token)}
        await providers.replace_keys(conn, ENGINE, [key])
        for makes, route_id in DEFAULTS.items():
            await media.save_one(
                conn, media.MediaRoute, route_id, name=NAMES[makes], makes=makes,
                candidates=[f"{ENGINE}:auto"], settings={}, managed=SETUP,
            )  # fmt: skip
        await bump_config(conn)
