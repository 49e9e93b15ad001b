"""From a provider's configuration to its media client: modules by path, loaded when first used."""

import importlib

from providers.media.types import MediaProvider
from providers.types import ProviderConfig

KINDS = {
    "engine": "providers.media.engine",
    "ark": "providers.media.ark",
    "kling": "providers.media.kling",
    "gemini": "providers.media.veo",
    "vertex": "providers.media.vertex",
    "bfl": "providers.media.flux",
    "recraft": "providers.media.recraft",
    "stability": "providers.media.stability",
    "openai": "providers.media.openai_images",
    "openai-compatible": "providers.media.openai_images",
}


def makes_media(kind: str) -> bool:
    """Whether providers of this kind can make pictures or videos."""
    return kind in KINDS


def open_media(config: ProviderConfig) -> MediaProvider:
    """A provider with its HTTP client. Raises KeyError for a kind without media, ValueError without a usable
    address."""
    provider: MediaProvider = importlib.import_module(KINDS[config.kind]).create(config)
    return provider


async def check_media(config: ProviderConfig, key: str) -> list[str]:
    """Ask for something that is free, with one key: the *Test* of a vendor that makes media alone. Its models
    as the catalogue has them. Raises what `open_media` does, and ProviderError."""
    provider = importlib.import_module(KINDS[config.kind]).create(config)
    try:
        names: list[str] = await provider.check(key)
    finally:
        await provider.close()
    return names
