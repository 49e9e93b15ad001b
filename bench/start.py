"""How long a second start takes: the panel, the widget, twenty bots; and the first poll after a fork."""

import time

from bench.report import table
from bench.town import town
from tests.installation import wait_until

BOTS = 20


def run() -> str:
    """Measure; returns a Markdown section."""
    rows = []
    with town(BOTS) as here:
        for number in range(3):
            here.installation.stop()
            begun = time.monotonic()
            here.installation.start("--fleet", str(here.fleet), ready=False)
            panel = wait_until(lambda: _panel(here), 60, "panel") - begun
            widget = wait_until(lambda: _widget(here), 60, "widget") - begun
            here.installation.wait_ready()
            rows.append((number + 2, f"{panel:.1f}", f"{widget:.1f}", f"{time.monotonic() - begun:.1f}"))
    return table(("start", "panel s", "demo widget s", "20 bots and all s"), rows)


def _panel(here: object) -> float:
    return time.monotonic() if here.installation.get("/health")[0] == 200 else 0.0  # type: ignore[attr-defined]


def _widget(here: object) -> float:
    found = here.installation.rows("SELECT state FROM channel WHERE kind = 'widget'")  # type: ignore[attr-defined]
    return time.monotonic() if found and all(state == "READY" for (state,) in found) else 0.0
