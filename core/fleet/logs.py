"""Logs of one component: redacted, capped, in a rotated file, and a ring for the panel."""

import logging
import re
import time
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from core.fleet.redact import Redactor
from core.settings import Settings
from providers.surrogates import mend

LEVELS = re.compile(r"\b(DEBUG|INFO|WARNING|ERROR|CRITICAL)\b")
RING_LINES = 500
OWN = ("INFO supervisor:", "WARNING supervisor:")


@dataclass(frozen=True, slots=True)
class LogLimits:
    """How much one component may write."""

    line: int = 8 * 1024
    lines_per_second: float = 100.0
    burst: int = 1000
    file_bytes: int = 5 * 1024 * 1024
    files: int = 3


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line; `id` counts up within its component."""

    id: int
    at: float
    level: str
    text: str

    def to_json(self) -> dict[str, Any]:
        """As the control socket sends it."""
        return asdict(self)


class LogFile:
    """A file that is rotated by size: name.log, name.log.1, ..."""

    def __init__(self, path: Path, limits: LogLimits) -> None:
        self._path = path
        self._limits = limits
        self._file: BinaryIO | None = None

    def write(self, data: bytes) -> None:
        """Append; raises OSError when the disk does."""
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = self._path.open("ab", buffering=0)
            self._path.chmod(0o600)
        self._file.write(data)
        if self._file.tell() >= self._limits.file_bytes:
            self._rotate()

    def close(self) -> None:
        """Close the file; the next write opens it again."""
        if self._file:
            self._file.close()
        self._file = None

    def _rotate(self) -> None:
        self.close()
        for number in range(self._limits.files - 1, 0, -1):
            older = self._path if number == 1 else Path(f"{self._path}.{number - 1}")
            if older.exists():
                older.replace(f"{self._path}.{number}")


class Log:
    """Where a component's output goes. `broken` is what the disk said when it could not be written."""

    def __init__(self, path: Path, redactor: Redactor, limits: LogLimits = LogLimits()) -> None:
        self.ring: deque[LogLine] = deque(maxlen=RING_LINES)
        self.broken = ""
        self._file = LogFile(path, limits)
        self._redactor = redactor
        self._limits = limits
        self._next_id = int(time.time() * 1000)  # a reader's last id stays good over our restart
        self._level = "INFO"
        self._allowance = float(limits.burst)
        self._measured = time.monotonic()
        self._skipped = 0

    def add(self, lines: list[str]) -> list[LogLine]:
        """Take lines in; returns those that were kept."""
        kept = [self._line(text) for text in lines if text and self._allowed()]
        if self._skipped and self._allowance > self._limits.burst / 2:
            kept.append(self._line(f"WARNING {self._skipped} lines were left out: too many at once"))
            self._skipped = 0
        if kept:
            self._store(kept)
        return kept

    def clean(self, text: str) -> str:
        """A text of another process without secrets, and without what neither rows nor JSON take."""
        return self._redactor.clean(mend(text))

    def tail(self, count: int) -> str:
        """The last lines as one text."""
        return "\n".join(line.text for line in list(self.ring)[-count:])

    def last_error(self) -> str:
        """The newest line that says what went wrong, for a state's reason."""
        life: list[LogLine] = []
        for line in reversed(self.ring):
            if not line.text.startswith(OWN):
                life.append(line)
            elif life:
                break  # the supervisor's note from when this process started
        bad = [line.text for line in life if line.level in ("ERROR", "CRITICAL")]
        texts = bad or [line.text for line in life]
        return texts[0][:500] if texts else ""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _line(self, text: str) -> LogLine:
        cut = self._redactor.clean(text)[: self._limits.line]  # a secret across the cut is whole before it
        found = LEVELS.search(cut[:80])
        if found:
            self._level = found.group(1)  # lines of a traceback keep the level of their first
        line = LogLine(self._next_id, round(time.time(), 3), self._level, cut)
        self._next_id += 1
        return line

    def _allowed(self) -> bool:
        now = time.monotonic()
        gained = (now - self._measured) * self._limits.lines_per_second
        self._allowance = min(float(self._limits.burst), self._allowance + gained)
        self._measured = now
        if self._allowance < 1:
            self._skipped += 1
            return False
        self._allowance -= 1
        return True

    def _store(self, lines: list[LogLine]) -> None:
        self.ring.extend(lines)
        try:
            self._file.write(
                "".join(f"{_stamp(line.at)} {line.text}\n" for line in lines).encode("utf-8", "replace")
            )
            self.broken = ""
        except OSError as error:
            self.broken = str(error)  # shown with the component; a full disk must not stop supervision
            self._file.close()


class LogBook:
    """The logs of all components, by name, in one folder."""

    def __init__(self, folder: Path, redactor: Redactor) -> None:
        self.redactor = redactor
        self._folder = folder
        self._logs: dict[str, Log] = {}

    def open(self, name: str) -> Log:
        """The log of one component; the same one for the same name."""
        if name not in self._logs:
            self._logs[name] = Log(self._folder / f"{name}.log", self.redactor)
        return self._logs[name]

    def find(self, name: str) -> Log | None:
        """The log of one component, if it has one."""
        return self._logs.get(name)

    def close(self) -> None:
        """Close all files; a later line opens its own again."""
        for log in self._logs.values():
            log.close()


def open_logs(settings: Settings) -> LogBook:
    """The log book of this installation, which knows the settings' own secrets."""
    known = [settings.secret_key.get_secret_value(), settings.admin_token.get_secret_value()]
    return LogBook(settings.home / "logs", Redactor(known))


class LogHandler(logging.Handler):
    """Puts this process's own log records into a log."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record in."""
        self._log.add(self.format(record).splitlines())


def _stamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
