"""Generation settings as a model takes them: clamped, and without those that it refuses."""

from typing import Any

from providers.catalog import Quirk
from providers.types import Sampling

_WHOLE = frozenset({"max_tokens", "top_k", "seed"})
_NUMBERS = ("temperature", "top_p", "max_tokens", "top_k", "frequency_penalty", "presence_penalty", "seed")


def taken(sampling: Sampling, quirk: Quirk) -> dict[str, Any]:
    """Every number that a request says and the model takes, by OpenAI's names; `stop` too."""
    values: dict[str, Any] = {}
    for name in _NUMBERS:
        value = getattr(sampling, name)
        if value is None or name in quirk.refuses or (name == "top_k" and not quirk.top_k):
            continue
        low, high = quirk.clamp.get(name, (value, value))
        clamped = min(max(value, low), high)
        values[name] = int(clamped) if name in _WHOLE else clamped
    if sampling.stop and "stop" not in quirk.refuses:
        values["stop"] = list(sampling.stop)
    if quirk.max_tokens_as and "max_tokens" in values:
        values[quirk.max_tokens_as] = values.pop("max_tokens")
    return values
