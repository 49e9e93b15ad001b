"""Generation settings: set on a route, a character, a conversation and a request; the nearest one holds."""

from collections.abc import Mapping
from typing import Any

from providers.types import Sampling

LENGTHS = ("short", "medium", "long", "very_long")
NUMBERS = ("temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "max_tokens")
FIELDS = (*NUMBERS, "length")

# Three times what the hint below asks for (200, 500, 1,500 and 4,500 tokens), and 2,400 for models that
# think before they answer: a model that obeys the hint is never cut off.
CEILINGS = {"short": 3000, "medium": 4000, "long": 7000, "very_long": 16_000}
HINTS = {
    "short": {
        "en": "Answer briefly: in one to three sentences.",
        "ru": "Отвечай кратко: одним-тремя предложениями.",
    },
    "medium": {
        "en": "Answer in one or two paragraphs.",
        "ru": "Отвечай одним-двумя абзацами.",
    },
    "long": {
        "en": "Answer in detail, in up to about 700 words.",
        "ru": "Отвечай подробно, примерно до 500 слов.",
    },
    "very_long": {
        "en": "Answer exhaustively, with all that is worth knowing, in up to about 2,000 words.",
        "ru": "Отвечай исчерпывающе, со всем, что стоит знать, примерно до 1500 слов.",
    },
}


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """One set of settings of several, the later layers before the earlier ones; unknown names are dropped."""
    found: dict[str, Any] = {}
    for layer in layers:
        found.update({name: layer[name] for name in FIELDS if layer.get(name) is not None})
    return found


def to_sampling(settings: Mapping[str, Any]) -> Sampling:
    """The part of merged settings that models take as numbers; a length sets a ceiling where none is set."""
    values: dict[str, Any] = {name: settings.get(name) for name in NUMBERS}
    if values["max_tokens"] is None:
        values["max_tokens"] = CEILINGS.get(settings.get("length") or "")
    return Sampling(**values)


def length_hint(settings: Mapping[str, Any], language: str) -> str:
    """What a model is told about the length of its answers; "" where nobody set one."""
    hint = HINTS.get(settings.get("length") or "", {})
    return hint.get(language) or hint.get("en", "")
