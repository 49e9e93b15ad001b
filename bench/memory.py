"""What a further bot costs in memory (PSS), warm, at 1, 20 and 100 bots."""

from bench.report import table
from bench.town import town

SIZES = (1, 20, 100)


def run() -> str:
    """Measure; returns a Markdown section."""
    rows = []
    for size in SIZES:
        with town(size) as here:
            here.warm_up()
            bots = here.bot_pids()
            each = sorted(here.pss_mb([pid]) for pid in bots)
            total = here.pss_mb(here.all_pids())
            rows.append((size, f"{each[len(each) // 2]:.1f}", f"{each[-1]:.1f}", f"{sum(each):.0f}",
                         f"{total:.0f}", f"{here.started_in:.1f}"))  # fmt: skip
    head = (
        "bots",
        "median MB a bot",
        "largest",
        "all bots MB",
        "whole installation MB",
        "start to all ready, s",
    )
    return table(head, rows)
