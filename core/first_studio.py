"""What a new installation draws with: this machine's own engine host, started when a picture is asked for.

Without a GPU it has the demo painter, so that everything can be tried; with one, what models are on the disk.
"""

import secrets
from collections.abc import Awaitable, Callable

from core.configuration.changes import SETUP, key_secret
from core.configuration.providers import key_hint
from core.media.routes import DEFAULTS
from db import media, providers, slugs
from db.base import new_id
from db.database import Database
from db.settings import bump_config

ENGINE = "engine"
NAMES = {"image": "Pictures", "video": "Videos"}
NAMES_HERE = (ENGINE, "this-machine", "engine-here", "engine-this-machine")  # the first that is free


async def add_studio(database: Database, seal: Callable[[str, str], Awaitable[str]], port: int) -> str:
    """The provider of this machine's engine host with a token of its own, and routes of pictures and of
    videos where there are none. Returns its id; "" when there is one already."""
    key_id, token = new_id(), secrets.token_urlsafe(32)
    sealed = await seal(key_secret(key_id), token)
    async with database.transaction() as conn:
        rows = await providers.all_providers(conn)
        if any(row.kind == ENGINE and (row.config or {}).get("here") for row in rows):
            return ""
        own = next(name for name in NAMES_HERE if name not in {row.id for row in rows})
        await providers.save_provider(
            conn, own, kind=ENGINE, name="This machine", base_url=f"http://127.0.0.1:{port}/v1",
            config={"here": True}, enabled=True, managed=SETUP,
        )  # fmt: skip
        key = {"id": key_id, "secret": sealed, "hint": key_hint(token)}
        await providers.replace_keys(conn, own, [key])
        there = {row.id for row in await slugs.all_of(conn, media.MediaRoute)}
        for makes, route_id in DEFAULTS.items():
            if route_id not in there:
                await slugs.save_one(
                    conn, media.MediaRoute, route_id, name=NAMES[makes], makes=makes,
                    candidates=[f"{own}:auto"], settings={}, managed=SETUP,
                )  # fmt: skip
        await bump_config(conn)
        return own
