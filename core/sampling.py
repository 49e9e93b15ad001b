"""Generation settings: set on a route, a character, a conversation and a request; the nearest one holds."""

from collections.abc import Mapping
from typing import Any

from providers.types import Sampling

LENGTHS = ("short", "medium", "long", "very_long")
NUMBERS = ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "max_tokens")
FIELDS = (*NUMBERS, "length")


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """One set of settings of several, the later layers before the earlier ones; unknown names are dropped."""
    found: dict[str, Any] = {}
    for layer in layers:
        found.update({name: layer[name] for name in FIELDS if layer.get(name) is not None})
    return found


def to_sampling(settings: Mapping[str, Any]) -> Sampling:
    """The part of merged settings that models take as numbers."""
    values: dict[str, Any] = {name: settings.get(name) for name in NUMBERS}
    return Sampling(**values)
