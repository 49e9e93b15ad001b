"""Durability of media: random kill -9 of everything that makes them; see tests/kill/media_storm.py."""

import tempfile
from pathlib import Path

from bench.report import table
from tests.kill.media_storm import MediaStorm, blow


def run() -> str:
    """Measure; returns a Markdown section."""
    storm = MediaStorm()
    with tempfile.TemporaryDirectory(prefix="botyard-media-storm-") as folder:
        count = blow(Path(folder), storm)
    kills = ", ".join(f"{name} {number}" for name, number in sorted(count.kills.items()))
    jobs = storm.chats + storm.found + storm.never
    row = (
        jobs, f"{sum(count.kills.values())} ({kills})", sum(count.statuses.values()), len(count.silent),
        len(count.doubled), count.artifacts_doubled, f"{count.submits_found} of {storm.found}",
        f"{count.submits_never} of {storm.never}", count.lost, count.seconds,
    )  # fmt: skip
    head = (
        "jobs", "kills", "ended once", "chats without", "chats with two", "files twice",
        "submits, vendor that can be asked", "submits, vendor that cannot", "given up as lost", "s",
    )  # fmt: skip
    return table(head, [row])
