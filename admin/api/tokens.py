"""Bearer tokens of this API."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from admin.api.calls import Actor, Id, Parts, api_router
from core.api_tokens import ApiToken, all_tokens, create_token, revoke_token
from core.configuration.service import NotFound
from core.configuration.values import Readable, Stripped

router = api_router("tokens")


class NewToken(BaseModel):
    """What a token is for."""

    name: Annotated[str, Stripped, Field(min_length=1, max_length=100), Readable]


class CreatedToken(BaseModel):
    """A new token: the only answer that ever shows it."""

    token: str
    details: ApiToken


@router.get("/tokens")
async def list_tokens(parts: Parts) -> Sequence[ApiToken]:
    """Every token, oldest first, as far as it may be shown."""
    return await all_tokens(parts.database)


@router.post("/tokens", status_code=201)
async def create(new: NewToken, parts: Parts, actor: Actor) -> CreatedToken:
    """Make a token."""
    token, details = await create_token(parts.database, actor, new.name)
    return CreatedToken(token=token, details=details)


@router.delete("/tokens/{token_id}", status_code=204)
async def revoke(token_id: Id, parts: Parts, actor: Actor) -> None:
    """Revoke a token; it is refused from now on."""
    if not await revoke_token(parts.database, actor, token_id):
        raise NotFound("token", token_id)
