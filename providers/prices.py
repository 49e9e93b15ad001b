"""What models cost, from lists that `python -m providers.price_list` made of genai-prices.

Prices are data of a day, not a promise: a vendor's bill is what counts. A model that is in no list costs an
unknown amount, never 0.
"""

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

LISTS = Path(__file__).with_name("price_lists")
_DATED = re.compile(r"[-@](?:20\d{6}|20\d{2}-\d{2}-\d{2}|latest)$")
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens; `cached` is for input that the vendor had cached (None: as other input).
    With more than `above` tokens of input (0: never) the prices of `dear` hold."""

    input: float
    output: float
    cached: float | None = None
    above: int = 0
    dear: "Price | None" = None

    def cost(self, input_tokens: int, output_tokens: int, cached: int = 0) -> float:
        """US dollars for so many tokens; `cached` is a part of the input."""
        if self.dear is not None and input_tokens > self.above:
            return self.dear.cost(input_tokens, output_tokens, cached)
        known = min(cached, input_tokens) if self.cached is not None else 0
        fresh = (input_tokens - known) * self.input + output_tokens * self.output
        return (fresh + known * (self.cached or 0.0)) / MILLION


@lru_cache(maxsize=2048)
def price_of(kind: str, model: str) -> Price | None:
    """The price of a vendor's model; None when nobody knows it. A date or "-latest" at the end of a name is
    overlooked when there is no entry of the whole name."""
    prices = _listed(kind)
    entry = prices.get(model) or prices.get(_DATED.sub("", model))
    return None if entry is None else _price(entry)


def _listed(kind: str) -> dict[str, Any]:
    # Not kept: a list is large, and a process needs a few of its lines.
    path = LISTS / f"{kind}.json"
    if not path.is_file():
        return {}
    listed: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return listed


def _price(entry: list[Any]) -> Price:
    """An entry is [input, output, cached] and, where much input is dearer, [..., above, [the same again]]."""
    if len(entry) > 3:
        return Price(entry[0], entry[1], entry[2], entry[3], _price(entry[4]))
    return Price(*entry)
