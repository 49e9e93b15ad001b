"""Children that serve: a process group of their own, its last words kept, its pid recorded for a next life.

A server may start processes of its own (vLLM's workers), so it leads a session and is ended as a group. The
record lets the next engine host end what this one left behind when it was killed.
"""

import asyncio
import json
import logging
import os
import re
import shutil
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LOG = logging.getLogger(__name__)
GUARD = Path(__file__).with_name("guard.py")
LAST_LINES, LONGEST_LINE = 60, 2000
LONGEST_TOLD = 1 << 18  # bytes of a line that is passed on whole
LAST_BREATH = 1.0  # seconds to read what was printed before the end
BREAK = re.compile(rb"[\r\n]+")


class Child:
    """One running program. `tell` hears every line that it prints."""

    def __init__(
        self, process: asyncio.subprocess.Process, record: Path, tell: Callable[[str], None] | None = None
    ) -> None:
        self._process = process
        self._record = record
        self._tell = tell
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._reader = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        """The leader's process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.returncode

    def pids(self) -> tuple[int, ...]:
        """Every process of its group."""
        return group_of(self.pid)

    def last_words(self) -> str:
        """The end of what it printed."""
        return "\n".join(self._lines)

    async def wait(self) -> int:
        """Until it has ended."""
        return await self._process.wait()

    async def end(self, grace: float) -> None:
        """Ask it to stop, then kill what is left of the group; returns when nothing is left."""
        self._signal(signal.SIGTERM)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), grace)
        self._signal(signal.SIGKILL)
        await self._process.wait()
        await asyncio.wait({self._reader}, timeout=LAST_BREATH)
        self._reader.cancel()
        await asyncio.wait({self._reader})
        self._record.unlink(missing_ok=True)

    def _signal(self, number: signal.Signals) -> None:
        """To the group; one that is empty is left alone, for its number may be another's by now."""
        if self.exit_code is None or self.pids():
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    async def _read(self) -> None:
        stream, rest = self._process.stdout, b""
        while stream is not None and (chunk := await stream.read(65536)):
            *lines, rest = BREAK.split(rest + chunk)
            if len(rest) > LONGEST_TOLD:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._heard(line)
        self._heard(rest)

    def _heard(self, line: bytes) -> None:
        text = line.decode(errors="replace")
        if text:
            self._lines.append(text[:LONGEST_LINE])
        if text and self._tell:
            self._tell(text)


async def spawn(
    argv: Sequence[str],
    environment: Mapping[str, str],
    records: Path,
    tell: Callable[[str], None] | None = None,
    folder: Path | None = None,
) -> Child:
    """Start a program, which dies with this process. Raises OSError where it is missing or cannot be
    recorded."""
    if shutil.which(argv[0]) is None:
        raise FileNotFoundError(argv[0])
    await asyncio.to_thread(records.mkdir, parents=True, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(GUARD), *argv,
        env=dict(environment), start_new_session=True, cwd=folder or records,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    record = records / f"{process.pid}.json"
    child = Child(process, record, tell)
    try:
        record.write_text(json.dumps({"pid": process.pid, "started": started_at(process.pid)}))
    except OSError:
        await child.end(0)
        raise
    return child


def reap_orphans(records: Path) -> int:
    """Kill the groups that an earlier life left running; returns how many. A pid that was given to another
    process since (its start time differs) is left alone."""
    killed = 0
    for record in sorted(records.glob("*.json")):
        try:
            kept = json.loads(record.read_text())
            pid, started = int(kept["pid"]), kept["started"]
        except (ValueError, KeyError, TypeError):
            LOG.warning("A record of a process cannot be read: %s", record)
        else:
            # A group whose leader is gone keeps its number from being given to another process.
            if started is not None and started_at(pid) in (started, None) and group_of(pid):
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
                    killed += 1
        record.unlink(missing_ok=True)
    return killed


def started_at(pid: int) -> str | None:
    """When a process was started, in the kernel's own ticks; None where there is no such process."""
    fields = _stat(pid)
    return fields[19] if fields else None


def group_of(leader: int) -> tuple[int, ...]:
    """The processes of a group."""
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return tuple(pid for pid in pids if (fields := _stat(pid)) and fields[2] == str(leader))


def resident(pids: Sequence[int]) -> int:
    """Bytes of RAM that processes hold of their own, and share with files."""
    total = 0
    for pid in pids:
        with suppress(OSError, IndexError, ValueError):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return total * os.sysconf("SC_PAGE_SIZE")


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name, which may hold spaces and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
