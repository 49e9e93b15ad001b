"""The list of models: routes, and models by their provider."""

import json

from admin.gateway.access import Access
from admin.gateway.errors import no_model
from core.gateway_keys import GatewayKey


async def listed(access: Access, key: GatewayKey) -> bytes:
    """Everything that a key may name."""
    data = [_entry(name, owner) for name, owner in await access.models(key)]
    return json.dumps({"object": "list", "data": data}).encode()


async def described(access: Access, key: GatewayKey, name: str) -> bytes:
    """One of them. Raises ApiError."""
    known = await access.models(key)
    for listed_name, owner in known:
        if listed_name == name:
            return json.dumps(_entry(name, owner)).encode()
    raise no_model(name, [one for one, _ in known])


def _entry(name: str, owner: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}
