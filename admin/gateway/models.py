"""The list of models: routes, also those of pictures and videos, and chat models by their provider."""

import json

from admin.gateway.access import Access
from admin.gateway.errors import no_model
from core.gateway_keys import GatewayKey
from db.database import Database
from db.media import MediaRoute
from db.slugs import all_of


async def listed(access: Access, key: GatewayKey, database: Database) -> bytes:
    """Everything that a key may name."""
    data = [_entry(name, owner) for name, owner in (await _known(access, key, database)).items()]
    return json.dumps({"object": "list", "data": data}).encode()


async def described(access: Access, key: GatewayKey, database: Database, name: str) -> bytes:
    """One of them. Raises ApiError."""
    known = await _known(access, key, database)
    if name not in known:
        raise no_model(name, known)
    return json.dumps(_entry(name, known[name])).encode()


async def _known(access: Access, key: GatewayKey, database: Database) -> dict[str, str]:
    """Who owns each: what talks first, then the routes of pictures and videos."""
    async with database.reading() as conn:
        rows = await all_of(conn, MediaRoute)
    media = {row.id: "botyard" for row in rows if not key.routes or row.id in key.routes}
    return {**dict(await access.models(key)), **media}


def _entry(name: str, owner: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}
