"""Durability: random kill -9 during a run of messages; see tests/kill/storm.py."""

import tempfile
from pathlib import Path

from bench.report import table
from tests.kill.storm import Storm, blow


def run() -> str:
    """Measure; returns a Markdown section."""
    storm = Storm()
    with tempfile.TemporaryDirectory(prefix="botyard-storm-") as folder:
        count = blow(Path(folder), storm)
    kills = ", ".join(f"{name} {number}" for name, number in sorted(count.kills.items()))
    row = (storm.messages, storm.bots, f"{storm.kills} ({kills})", len(count.lost), len(count.doubled),
           len(count.excused), f"{count.slowest:.1f}")  # fmt: skip
    head = ("messages", "bots", "kills", "lost", "doubled", "sent twice at a kill", "slowest answer s")
    return table(head, [row])
