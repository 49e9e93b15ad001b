"""How often somebody may do something: token buckets in bounded memory."""

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

MOST_KEYS = 10_000


class Limit:
    """`burst` at once and `rate` a second for each key; the keys heard of longest ago are forgotten."""

    def __init__(self, burst: float, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst = burst
        self._rate = rate
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> float:
        """Take one; 0 when that was allowed, else the seconds to wait."""
        now = self._clock()
        left, seen = self._buckets.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - seen) * self._rate)
        wait = 0.0 if left >= 1 else (1 - left) / self._rate
        self._buckets[key] = (left if wait else left - 1, now)
        if len(self._buckets) > MOST_KEYS:
            self._buckets.popitem(last=False)
        return wait


def network_of(address: str) -> str:
    """The key of an address: people have whole IPv6 networks of their own."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    return str(IPv6Address(int(parsed) >> 64 << 64)) if isinstance(parsed, IPv6Address) else str(parsed)
