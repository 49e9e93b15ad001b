"""`python -m providers.price_list`: write price_lists/ anew from genai-prices, a development dependency.

genai-prices (MIT, Pydantic) is kept up by many; only its figures are wanted at runtime, not its 27 MB.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import TieredPrices

from providers.catalog import vendors
from providers.prices import LISTS


def main() -> int:
    """Write one file for each vendor of the catalogue whose prices are known."""
    LISTS.mkdir(exist_ok=True)
    known = {provider.id: provider for provider in get_snapshot().providers}
    for kind, vendor in vendors().items():
        provider = known.get(vendor.prices or kind)
        if provider is not None:
            entries = {model.id: _entry(model) for model in provider.models}
            entries |= {one.name: _entry(provider.find_model(one.name)) for one in vendor.models}
            lines = [f"{json.dumps(name)}: {json.dumps(entries[name])}" for name in sorted(entries)
                     if entries[name]]  # fmt: skip
            (LISTS / f"{kind}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
            print(f"{kind}: {len(lines)} prices")
    return 0


def _entry(model: Any) -> list[Any] | None:
    """[input, output, cached], and for tiers [..., above, the dearest]; None without prices of text."""
    if model is None:
        return None
    prices = max((model.get_prices(moment) for moment in _hours()), key=_level)
    parts = [prices.input_mtok, prices.output_mtok, prices.cache_read_mtok]
    if parts[0] is None or parts[1] is None:
        return None
    entry: list[Any] = [_base(part) for part in parts]
    tiers = [part for part in parts if isinstance(part, TieredPrices)]
    if tiers:
        entry += [max(tier.start for tier in tiers[0].tiers), [_dearest(part) for part in parts]]
    return entry


def _hours() -> list[datetime]:
    """Every half hour of today: where a price depends on the hour, the dearest is written down."""
    midnight = datetime.now(UTC).replace(hour=0, minute=15, second=0, microsecond=0)
    return [midnight + timedelta(minutes=30 * number) for number in range(48)]


def _level(prices: Any) -> float:
    return (_base(prices.input_mtok) or 0.0) + (_base(prices.output_mtok) or 0.0)


def _base(price: Any) -> float | None:
    if price is None:
        return None
    return float(price.base if isinstance(price, TieredPrices) else price)


def _dearest(price: Any) -> float | None:
    if price is None:
        return None
    return float(price.tiers[-1].price if isinstance(price, TieredPrices) else price)


if __name__ == "__main__":
    sys.exit(main())
