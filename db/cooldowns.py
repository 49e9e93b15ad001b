"""The file in which processes tell each other what rests: small, apart from the main database, quick."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from db.base import now

PATIENCE = 0.2  # seconds that a write waits for another process's; it waits in the loop
KEPT_FOR = 2 * 3600.0  # seconds that a failure is remembered after its rest
_PREPARE = """
PRAGMA page_size = 1024;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA cache_size = -16;
PRAGMA temp_store = MEMORY;
PRAGMA wal_autocheckpoint = 64;
CREATE TABLE IF NOT EXISTS rest (
  scope TEXT PRIMARY KEY,
  error_class TEXT NOT NULL,
  failures INTEGER NOT NULL,
  until REAL NOT NULL,
  updated_at REAL NOT NULL,
  trial_until REAL NOT NULL,
  trial_by TEXT NOT NULL
) WITHOUT ROWID;
"""
_VERSION = "PRAGMA data_version"
_FIELDS = "error_class, failures, until, updated_at, trial_until, trial_by"
_ALL = f"SELECT scope, {_FIELDS} FROM rest"
_ONE = f"SELECT {_FIELDS} FROM rest WHERE scope = ?"
_PUT = f"INSERT OR REPLACE INTO rest (scope, {_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
_DROP = "DELETE FROM rest WHERE scope = ?"
_FORGET = "DELETE FROM rest WHERE until < :before AND updated_at < :before"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rest:
    """What is known of a scope (a key, a model, a server) that failed `failures` times in a row, last at
    `updated_at`. `until` 0 means that it does not rest. After the rest one request tries the scope: its
    lease ends at `trial_until` and is known by `trial_by`. Times in the file are UTC epoch seconds."""

    error_class: str
    failures: int
    until: float
    updated_at: float
    trial_until: float = 0.0
    trial_by: str = ""


class Unusable(Exception):
    """What is shared cannot be read or written now; what a process knows by itself must do."""


class CooldownFile:
    """The rests of all processes of one machine. Opened at first use, so that a fork shares no handle."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: sqlite3.Connection | None = None
        self._seen: int | None = None

    async def changes(self) -> dict[str, Rest] | None:
        """All rests when another process has changed one since the last look, else None. Raises Unusable."""
        return self._guarded(self._look)

    async def update(self, scope: str, decide: Callable[[Rest | None], Rest | None]) -> Rest | None:
        """Replace a rest by what `decide` makes of it, atomically; None is none. Raises Unusable."""
        return self._guarded(lambda file: _decided(file, scope, decide))

    async def close(self) -> None:
        """Close the file; it is opened again when needed."""
        self._drop()

    def _guarded(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._file is None:
                self._file = self._opened()
            return work(self._file)
        except (sqlite3.Error, OSError) as error:
            self._drop()
            if isinstance(error, sqlite3.DatabaseError) and not isinstance(error, sqlite3.OperationalError):
                self._remove()  # not a database any more; it holds nothing that cannot be learnt again
            raise Unusable(f"{self._path}: {error}") from error

    def _opened(self) -> sqlite3.Connection:
        file = sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None, cached_statements=8)
        try:
            file.executescript(_PREPARE)
        except sqlite3.Error:
            file.close()
            raise
        return file

    def _look(self, file: sqlite3.Connection) -> dict[str, Rest] | None:
        (version,) = file.execute(_VERSION).fetchone()
        if version == self._seen:
            return None
        with closing(file.execute(_ALL)) as rows:
            found = {scope: Rest(*fields) for scope, *fields in rows}
        self._seen = version
        return found

    def _drop(self) -> None:
        file, self._file, self._seen = self._file, None, None
        if file is not None:
            file.close()

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)


def _decided(
    file: sqlite3.Connection, scope: str, decide: Callable[[Rest | None], Rest | None]
) -> Rest | None:
    file.execute("BEGIN IMMEDIATE")
    with file:
        row = file.execute(_ONE, (scope,)).fetchone()
        before = Rest(*row) if row else None
        after = decide(before)
        if after is None and before is not None:
            file.execute(_DROP, (scope,))
        elif after is not None and after != before:
            values = (after.error_class, after.failures, after.until, after.updated_at)
            file.execute(_PUT, (scope, *values, after.trial_until, after.trial_by))
            file.execute(_FORGET, {"before": now() - KEPT_FOR})
    return after
