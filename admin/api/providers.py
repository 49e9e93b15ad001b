"""Providers: keys go in and never come out."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import Body
from pydantic import BaseModel

from admin.api.calls import Actor, Config, Id, Parts, api_router
from admin.provider_check import check, config_of
from core.configuration.provider_configs import NewProvider, ProviderInput
from core.configuration.values import Key
from core.configuration.views import KeyHint, Provider
from providers.types import ProviderConfig

router = api_router("providers")


class KeyTest(BaseModel):
    """How one key fared; `error` is an error class such as "credential", `detail` the vendor's own words."""

    hint: str
    ok: bool
    models: list[str] = []
    error: str = ""
    detail: str = ""


@router.get("/providers")
async def list_providers(configuration: Config) -> Sequence[Provider]:
    """Every provider, oldest first."""
    return await configuration.providers.all()


@router.post("/providers", status_code=201)
async def create_provider(new: NewProvider, configuration: Config, actor: Actor) -> Provider:
    """Make a provider with its keys."""
    return await configuration.providers.create(actor, new)


@router.get("/providers/{provider_id}")
async def get_provider(provider_id: Id, configuration: Config) -> Provider:
    """One provider."""
    return await configuration.providers.get(provider_id)


@router.put("/providers/{provider_id}")
async def change_provider(
    provider_id: Id, config: ProviderInput, configuration: Config, actor: Actor
) -> Provider:
    """Replace a provider's settings; keys that are left out stay."""
    return await configuration.providers.change(actor, provider_id, config)


@router.delete("/providers/{provider_id}", status_code=204)
async def delete_provider(provider_id: Id, configuration: Config, actor: Actor) -> None:
    """Delete a provider that no route names."""
    await configuration.providers.delete(actor, provider_id)


@router.post("/providers/{provider_id}/keys", status_code=201)
async def add_key(
    provider_id: Id,
    key: Annotated[Key, Body(embed=True)],
    configuration: Config,
    actor: Actor,
) -> KeyHint:
    """Append a key."""
    return await configuration.providers.add_key(actor, provider_id, key)


@router.delete("/providers/{provider_id}/keys/{key_id}", status_code=204)
async def delete_key(provider_id: Id, key_id: Id, configuration: Config, actor: Actor) -> None:
    """Remove a key."""
    await configuration.providers.delete_key(actor, provider_id, key_id)


@router.post("/providers/{provider_id}/test")
async def test_provider(provider_id: Id, configuration: Config, parts: Parts) -> Sequence[KeyTest]:
    """Ask for the list of models with each key; one entry with no hint where there are no keys."""
    provider = await configuration.providers.get(provider_id)
    config = await config_of(parts, provider_id)
    hints = [key.hint for key in provider.keys] or [""]
    keys = config.keys or ("",)
    if len(keys) != len(hints):  # one of them could not be opened: nobody knows which
        hints = [""] * len(keys)
    tests = [_test(config, key, hint) for key, hint in zip(keys, hints, strict=True)]
    return await asyncio.gather(*tests)


async def _test(config: ProviderConfig, key: str, hint: str) -> KeyTest:
    one = await check(config, key)
    return KeyTest(hint=hint, ok=not one.error, models=one.models, error=one.error, detail=one.detail)
