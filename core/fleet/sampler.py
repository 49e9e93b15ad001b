"""Memory and processor time of processes, read slowly: a reading walks the process's page tables."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROUND_SECONDS = 10.0
TICKS = os.sysconf("SC_CLK_TCK")


class Sampler:
    """Reads one process after the other; `of` gives the latest figures."""

    def __init__(self) -> None:
        self._figures: dict[int, dict[str, Any]] = {}
        self._queue: list[int] = []
        self._next_round = 0.0

    def sample_next(self, pids: Iterable[int], now: float) -> None:
        """Read the next process in turn; a round begins every ten seconds at most."""
        if not self._queue and now >= self._next_round:
            self._queue, self._next_round = list(pids), now + ROUND_SECONDS
            self._figures = {pid: self._figures[pid] for pid in self._queue if pid in self._figures}
        if self._queue:
            pid = self._queue.pop()
            self._figures[pid] = {"pss_kb": pss_kb(pid), "cpu_seconds": cpu_seconds(pid)}

    def of(self, pid: int | None) -> dict[str, Any]:
        """The latest figures; None where there are none yet."""
        return self._figures.get(pid or 0, {"pss_kb": None, "cpu_seconds": None})


def pss_kb(pid: int) -> int | None:
    """Proportional memory; None when the process is gone."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        return None
    return None


def cpu_seconds(pid: int) -> float | None:
    """User and system time; None when the process is gone."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return round((int(after_name[11]) + int(after_name[12])) / TICKS, 2)
