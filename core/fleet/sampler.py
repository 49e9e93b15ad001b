"""Memory and processor time of processes, read slowly: a reading walks the process's page tables."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

INTERVAL_SECONDS = 10.0
TICKS = os.sysconf("SC_CLK_TCK")


class Sampler:
    """Reads one process a call, the one whose figures are oldest; `of` gives the latest figures."""

    def __init__(self) -> None:
        self._figures: dict[int, dict[str, Any]] = {}
        self._read_at: dict[int, float] = {}

    def sample_next(self, pids: Iterable[int], now: float) -> None:
        """Read the process that waits longest; none is read twice within ten seconds."""
        self._read_at = {pid: self._read_at.get(pid, -INTERVAL_SECONDS) for pid in pids}
        self._figures = {pid: one for pid, one in self._figures.items() if pid in self._read_at}
        pid = min(self._read_at, key=self._read_at.__getitem__, default=0)
        if pid and now - self._read_at[pid] >= INTERVAL_SECONDS:
            self._read_at[pid] = now
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
