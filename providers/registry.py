"""From a provider's configuration to its client: wire formats by module path, loaded when first used."""

import asyncio
import importlib
import sys
from collections.abc import Iterable
from types import ModuleType

from providers.catalog import Vendor, find_vendor
from providers.media.registry import check_media
from providers.types import Provider, ProviderConfig

PATIENCE = 15.0  # seconds that a test of a credential may take
WIRES = {
    "openai": "providers.chat.openai_compatible",
    "anthropic": "providers.chat.anthropic",
}


def open_provider(config: ProviderConfig) -> Provider:
    """A provider with its HTTP client. Raises UnknownKind, or ValueError without a usable address and for a
    vendor that makes media alone."""
    vendor = find_vendor(config.kind)
    if not vendor.chat:
        raise ValueError(f"provider {config.id!r} makes pictures and videos, and has no model to talk to")
    if not (config.base_url or vendor.base_url).startswith(("http://", "https://")):
        raise ValueError(f"provider {config.id!r} needs a base_url that begins with http:// or https://")
    provider: Provider = _module(vendor).create(vendor, config)
    return provider


async def list_models(config: ProviderConfig, key: str) -> list[str]:
    """What a provider lists with one of its keys: the *Test* of a credential.

    Raises what `open_provider` does, ProviderError, or TimeoutError after PATIENCE.
    """
    if not find_vendor(config.kind).chat:
        async with asyncio.timeout(PATIENCE):
            return await check_media(config, key)
    provider = open_provider(config)
    try:
        async with asyncio.timeout(PATIENCE):
            return await provider.models(key)
    finally:
        await provider.close()


def preload(kinds: Iterable[str]) -> None:
    """Import what these kinds need, TLS settings too, so that forked processes share it."""
    for vendor in map(find_vendor, set(kinds)):
        if vendor.chat:
            _module(vendor)


def is_loaded(kind: str) -> bool:
    """Whether opening a provider of this kind imports nothing more, which can take seconds."""
    vendor = find_vendor(kind)
    return not vendor.chat or WIRES[vendor.wire] in sys.modules


def _module(vendor: Vendor) -> ModuleType:
    return importlib.import_module(WIRES[vendor.wire])
