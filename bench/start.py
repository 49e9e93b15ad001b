"""How long a second start takes: panel, widget, twenty bots; and a bot's first call after its fork."""

import os
import time
from pathlib import Path

from bench.report import table
from bench.town import Town, town
from tests.fleets import token
from tests.installation import wait_until

BOTS = 20
TICKS = os.sysconf("SC_CLK_TCK")


def run() -> str:
    """Measure; returns a Markdown section."""
    rows = []
    with town(BOTS) as here:
        born = sorted(_first_call(here) for _ in range(10))
        for number in range(3):
            here.installation.stop()
            begun = time.monotonic()
            here.installation.start("--fleet", str(here.fleet), ready=False)
            panel = wait_until(lambda: _panel(here), 60, "panel") - begun
            widget = wait_until(lambda: _widget(here), 60, "widget") - begun
            here.installation.wait_ready()
            rows.append((number + 2, f"{panel:.1f}", f"{widget:.1f}", f"{time.monotonic() - begun:.1f}"))
    starts = table(("start", "panel s", "demo widget s", "20 bots and all s"), rows)
    times = (f"{born[0]:.0f}", f"{born[5]:.0f}", f"{born[-1]:.0f}")
    calls = table(("a killed bot, from its fork to its first call", "median", "slowest"), [times])
    return f"{starts}\n\n{calls.replace('first call |', 'first call: fastest ms |')}"


def _first_call(here: Town) -> float:
    """Kill a bot; milliseconds from the new process's start (known to 10 ms) to its first call."""
    since = here.api.calls()["next"]
    here.installation.kill("b0")
    time.sleep(2)
    calls = [call["at"] for call in here.api.calls(since)["calls"] if call["token"] == token(0)]
    fields = Path(f"/proc/{here.installation.pid('b0')}/stat").read_text().rpartition(")")[2].split()
    since_boot = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    return (min(calls) + since_boot - int(fields[19]) / TICKS) * 1000


def _panel(here: Town) -> float:
    return time.monotonic() if here.installation.get("/health")[0] == 200 else 0.0


def _widget(here: Town) -> float:
    found = here.installation.rows("SELECT state FROM channel WHERE kind = 'widget'")
    return time.monotonic() if found and all(state == "READY" for (state,) in found) else 0.0
