"""What a database cannot do now and may do later, told apart from what it will never do."""

import sqlite3

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

PASSING_CODES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
# SQLSTATE classes: connection, read-only standby, conflict, resources, lock, operator, system.
PASSING_STATES = ("08", "25006", "40", "53", "55P03", "57", "58")


class Unavailable(SQLAlchemyError):
    """The database is locked, full, stopped or out of reach: the same transaction may work later.

    Whether the commit took place is unknown when the connection broke during it.
    """


def unavailable(error: Exception) -> Unavailable | None:
    """The error as Unavailable; None when trying again cannot help."""
    cause = (error.orig or error) if isinstance(error, DBAPIError) else error
    return Unavailable(str(cause) or type(cause).__name__) if _passes(error, cause) else None


def _passes(error: Exception, cause: BaseException) -> bool:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if isinstance(cause, sqlite3.Error):
        return getattr(cause, "sqlite_errorcode", 0) & 0xFF in PASSING_CODES
    if isinstance(cause, OSError | NoConnectionFree):
        return True
    return str(getattr(cause, "sqlstate", None) or "").startswith(PASSING_STATES)
