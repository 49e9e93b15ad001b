"""Migrations: the schema they make is the one that the row classes say."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from db.database import Database
from db.migrate import alembic_config, is_row_class
from db.schema import HEAD, NewerDatabase, ensure_schema, known_revisions, stored_revision
from db.tables import METADATA


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "include_object": is_row_class}
    )
    return list(compare_metadata(context, METADATA))


async def test_migrated_schema_is_what_the_rows_say(database: Database) -> None:
    async with database.backend.connect() as conn:
        assert await conn.run_sync(differences) == []
        assert await stored_revision(conn) == HEAD


def test_the_head_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == HEAD
    assert HEAD in known_revisions()


async def test_an_empty_database_is_migrated_once(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new.db'}")
    assert await ensure_schema(database, tmp_path / "backups") is True
    assert await ensure_schema(database, tmp_path / "backups") is False
    assert not (tmp_path / "backups").exists()
    await database.close()


async def test_a_newer_database_stops_the_start(database: Database, tmp_path: Path) -> None:
    async with database.transaction() as conn:
        await conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerDatabase, match="9999"):
        await ensure_schema(database, tmp_path)
