"""Sums of usage, and the bars that show them."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from db.usage_charts import Slice

WIDTH, HEIGHT, LEFT, BOTTOM = 480, 190, 48, 22
MOST_BARS = 12


@dataclass(slots=True)
class Sum:
    """What several slices used together."""

    name: str = ""
    key: str = ""
    answers: int = 0
    failed: int = 0
    cancelled: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0

    def add(self, one: Slice) -> None:
        """Count a slice in."""
        self.answers += one.answers
        self.failed += one.failed
        self.cancelled += one.cancelled
        self.unpriced += one.unpriced
        self.input_tokens += one.input_tokens
        self.output_tokens += one.output_tokens
        self.cost += one.cost

    @property
    def tokens(self) -> int:
        """Those that were read and those that were written."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, in the chart's own units; `second` is stacked upon `first`."""

    x: float
    width: float
    first: float
    second: float
    of: Sum


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars over days; `lines` are the heights of the grid with what they stand for, `days` the labels."""

    bars: list[Bar]
    lines: list[tuple[float, float]]
    days: list[tuple[float, str]] = field(default_factory=list)
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    floor: int = HEIGHT - BOTTOM


def total(slices: Iterable[Slice]) -> Sum:
    """All of them together."""
    found = Sum()
    for one in slices:
        found.add(one)
    return found


def summed(
    slices: Iterable[Slice], key: Callable[[Slice], str], name: Callable[[str], str] = str
) -> list[Sum]:
    """Sums by a key, the largest first."""
    found: defaultdict[str, Sum] = defaultdict(Sum)
    for one in slices:
        found[key(one)].add(one)
    for at, value in found.items():
        value.key, value.name = at, name(at)
    return sorted(found.values(), key=lambda one: (-one.cost, -one.tokens, -one.answers, one.name))


def by_day(slices: Iterable[Slice], since: float, days: int) -> list[Sum]:
    """A sum for each day, also for those without use, the oldest first."""
    first = datetime.fromtimestamp(since, UTC).date()
    found = {day: Sum(name=day, key=day) for day in ((first + timedelta(n)).isoformat() for n in range(days))}
    for one in slices:
        if one.day in found:
            found[one.day].add(one)
    return list(found.values())


def chart(
    days: list[Sum], first: Callable[[Sum], float], second: Callable[[Sum], float] = lambda _: 0.0
) -> Chart:
    """Bars of one or two values a day."""
    top = _nice(max((first(one) + second(one) for one in days), default=0.0))
    room, floor = WIDTH - LEFT, HEIGHT - BOTTOM
    step = room / max(1, len(days))
    wide = min(46.0, step * 0.7)
    scale = (floor - 12) / top
    bars = [
        Bar(
            round(LEFT + step * place + (step - wide) / 2, 1), round(wide, 1),
            round(first(one) * scale, 1), round(second(one) * scale, 1), one,
        )
        for place, one in enumerate(days)
    ]  # fmt: skip
    lines = [(round(floor - top * part * scale, 1), top * part) for part in (0.0, 0.5, 1.0)]
    every = max(1, -(-len(days) // 7))
    labels = [
        (round(LEFT + step * (place + 0.5), 1), one.key)
        for place, one in enumerate(days)
        if (len(days) - 1 - place) % every == 0
    ]
    return Chart(bars, lines, labels)


def _nice(value: float) -> float:
    """The next round number above."""
    if value <= 0:
        return 1.0
    size = 1.0
    while size > value:
        size /= 10
    while size * 10 <= value:
        size *= 10
    return next(size * part for part in (1, 2, 4, 5, 8, 10) if size * part >= value)
