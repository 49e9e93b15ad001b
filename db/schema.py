"""The schema's version: brought up to date once, before any process that uses the rows starts."""

import asyncio
import logging
import os
import sqlite3
import sys
import time
from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from db.database import Database

HEAD = "0006"  # the newest revision in db/migrations/versions; a test compares them
VERSIONS = Path(__file__).parent / "migrations" / "versions"
logger = logging.getLogger(__name__)


class NewerDatabase(Exception):
    """The database was written by a newer Botyard than this one."""


class MigrationFailed(Exception):
    """A migration stopped; the database is as it was before."""


async def stored_revision(connection: AsyncConnection) -> str | None:
    """The revision that the database is at; None for an empty one."""
    if not await connection.run_sync(lambda sync: inspect(sync).has_table("alembic_version")):
        return None
    row = (await connection.execute(text("SELECT version_num FROM alembic_version"))).one_or_none()
    return None if row is None else str(row[0])


async def ensure_schema(database: Database, backups: Path) -> bool:
    """Migrate when the database is older than the code; returns True when it was.

    A SQLite database with rows is copied to `backups` first. Alembic is imported only by the child
    process that migrates. Raises NewerDatabase or MigrationFailed.
    """
    async with database.reading() as connection:
        revision = await stored_revision(connection)
    if revision == HEAD:
        return False
    if revision is not None and revision not in known_revisions():
        raise NewerDatabase(f"The database is at version {revision}; this Botyard knows {HEAD}.")
    if revision is not None and database.is_sqlite:
        await asyncio.to_thread(_back_up, database.url, backups, revision)
    await _migrate(database)
    return True


def known_revisions() -> set[str]:
    """Revisions that this code can migrate from, and its own."""
    return {path.stem.split("_")[0] for path in VERSIONS.glob("[0-9]*.py")}


async def _migrate(database: Database) -> None:
    await database.close()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "db.migrate",
        env={**os.environ, "DATABASE_URL": database.url},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await child.communicate()
    if child.returncode:
        tail = output.decode(errors="replace").strip().splitlines()[-1:]
        raise MigrationFailed("; ".join(tail) or f"exit code {child.returncode}")


def _back_up(url: str, backups: Path, revision: str) -> None:
    backups.mkdir(parents=True, exist_ok=True)
    target = backups / f"botyard-{revision}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.db"
    source = sqlite3.connect(str(make_url(url).database))
    copy = sqlite3.connect(target)
    try:
        source.backup(copy)
    finally:
        copy.close()
        source.close()
    target.chmod(0o600)
    logger.info("database copied to %s before its migration", target)
