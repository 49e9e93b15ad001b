"""Keys of the OpenAI-compatible API under /v1; they are no tokens of this one."""

from collections.abc import Sequence

from pydantic import BaseModel

from admin.api.calls import Actor, Id, Parts, api_router
from core.gateway_keys import GatewayKey, GatewayKeyInput

router = api_router("gateway-keys")


class CreatedGatewayKey(BaseModel):
    """A new key: the only answer that ever shows it."""

    key: str
    details: GatewayKey


@router.get("/gateway-keys")
async def list_gateway_keys(parts: Parts) -> Sequence[GatewayKey]:
    """Every key, oldest first, as far as it may be shown."""
    return await parts.gateway_keys.all()


@router.post("/gateway-keys", status_code=201)
async def create_gateway_key(new: GatewayKeyInput, parts: Parts, actor: Actor) -> CreatedGatewayKey:
    """Make a key."""
    key, details = await parts.gateway_keys.create(actor, new)
    return CreatedGatewayKey(key=key, details=details)


@router.get("/gateway-keys/{row_id}")
async def get_gateway_key(row_id: Id, parts: Parts) -> GatewayKey:
    """One key."""
    return await parts.gateway_keys.get(row_id)


@router.put("/gateway-keys/{row_id}")
async def change_gateway_key(row_id: Id, config: GatewayKeyInput, parts: Parts, actor: Actor) -> GatewayKey:
    """Replace what a key may."""
    return await parts.gateway_keys.change(actor, row_id, config)


@router.delete("/gateway-keys/{row_id}", status_code=204)
async def revoke_gateway_key(row_id: Id, parts: Parts, actor: Actor) -> None:
    """Revoke a key; it is refused from now on."""
    await parts.gateway_keys.delete(actor, row_id)
