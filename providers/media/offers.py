"""What a provider offers: the cards of its models, from the catalogue or, for an engine host, from itself."""

import importlib
import time

from providers.catalog import UnknownKind, find_vendor
from providers.media.cards import Card, vendor_cards
from providers.media.registry import KINDS
from providers.types import ProviderConfig

FRESH_FOR = 10.0  # seconds that an engine host's list is believed
_LISTED: dict[tuple[str, str], tuple[float, tuple[Card, ...]]] = {}


def base_url_of(config: ProviderConfig) -> str:
    """Where a provider is asked."""
    try:
        return config.base_url or find_vendor(config.kind).base_url
    except UnknownKind:
        return config.base_url


async def cards_of(config: ProviderConfig) -> tuple[Card, ...]:
    """The media models of a provider; () for a kind without any. Raises ProviderError when an engine host
    does not tell."""
    if config.kind not in KINDS:
        return ()
    listing = getattr(importlib.import_module(KINDS[config.kind]), "list_cards", None)
    if listing is None:
        return vendor_cards().get(config.kind, ())
    place = (config.id, base_url_of(config))
    known = _LISTED.get(place)
    if known is None or time.monotonic() - known[0] > FRESH_FOR:
        known = _LISTED[place] = (time.monotonic(), tuple(await listing(config)))
    return known[1]
