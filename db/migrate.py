"""Run the migrations on DATABASE_URL: `python -m db.migrate` (the orchestrator does it at start)."""

import asyncio
import os
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from db.database import Database

LOCK = 0x626F7479  # PostgreSQL advisory lock: several machines may start at once


def alembic_config() -> Config:
    """Alembic's configuration, without an ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def is_row_class(_object: object, name: str | None, _kind: str, _reflected: bool, _compared: object) -> bool:
    """Leave the search index (db/passages.py) out of comparisons: it is no row class."""
    return not (name or "").startswith("passage_fts")


def upgrade(connection: Connection) -> None:
    """Migrate to the newest revision on an open transaction."""
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


async def main(url: str) -> None:
    """Migrate one database in one transaction."""
    database = Database(url)
    async with database.transaction() as connection:
        if not database.is_sqlite:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        await connection.run_sync(upgrade)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(os.environ["DATABASE_URL"]))
