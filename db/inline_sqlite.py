"""SQLite for SQLAlchemy's async engine without a thread: calls run where they are made.

A statement on a local SQLite file takes tens of microseconds, a hop to aiosqlite's thread and back takes
more, and a transaction makes nine of them (docs/decisions/0001). What can take long is waiting for
another process's write lock, and that is awaited here without blocking the event loop.
"""

import asyncio
import random
import sqlite3
import time
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import await_only

LOCK_TIMEOUT = 60.0  # seconds that a transaction waits for its turn to write
SHORTEST_WAIT, LONGEST_WAIT = 0.0005, 0.01
READING, DURABLE, UNHURRIED = "reading", "durable", "unhurried"
SYNCHRONOUS = {DURABLE: "PRAGMA synchronous=FULL", UNHURRIED: "PRAGMA synchronous=NORMAL"}
PRAGMAS = (
    "PRAGMA busy_timeout=10000",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-256",
)


class InlineCursor(sqlite3.Cursor):
    """A cursor with the one method that SQLAlchemy's async results call."""

    async def _async_soft_close(self) -> None:
        return None


class InlineConnection(sqlite3.Connection):
    """A connection whose cursors are InlineCursors."""

    def cursor(self, factory: Any = InlineCursor) -> Any:
        """A new cursor."""
        return super().cursor(factory)


class InlineSqlite(SQLiteDialect_pysqlite):
    """The standard library's driver, presented as an async one."""

    is_async = True
    supports_statement_cache = True

    def do_execute(self, cursor: Any, statement: Any, parameters: Any, context: Any = None) -> None:
        """Execute, with the one await that SQLAlchemy asks of an async driver."""
        await_only(_no_wait())
        cursor.execute(statement, parameters)

    def do_executemany(self, cursor: Any, statement: Any, parameters: Any, context: Any = None) -> None:
        """Execute for several rows."""
        await_only(_no_wait())
        cursor.executemany(statement, parameters)

    def do_execute_no_params(self, cursor: Any, statement: Any, context: Any = None) -> None:
        """Execute without parameters."""
        await_only(_no_wait())
        cursor.execute(statement)


async def _no_wait() -> None:
    return None


registry.register("sqlite.inline", __name__, "InlineSqlite")


def prepare(connection: Any, _record: object) -> None:
    """Set a new connection up; the driver must not begin transactions by itself."""
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(pragma)


def begin(connection: Connection) -> None:
    """Begin IMMEDIATE for writers, waiting for the lock in the event loop; plain BEGIN for readers."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    mode = connection.get_execution_options().get("botyard_mode", DURABLE)
    if mode == READING:
        driver.execute("BEGIN")
        return
    driver.execute(SYNCHRONOUS[mode])
    driver.execute("PRAGMA busy_timeout=0")
    try:
        _begin_immediate(driver)
    finally:
        driver.execute("PRAGMA busy_timeout=10000")


def _begin_immediate(driver: sqlite3.Connection) -> None:
    deadline, wait = time.monotonic() + LOCK_TIMEOUT, SHORTEST_WAIT
    while True:
        try:
            driver.execute("BEGIN IMMEDIATE")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        await_only(asyncio.sleep(wait * (0.5 + random.random())))
        wait = min(wait * 1.5, LONGEST_WAIT)
