"""Fixtures of the widget's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from db.database import Database
from tests.widget.stage import Stage, stage


@pytest.fixture
async def widget(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """A widget that a website embeds, from its process to the public address."""
    monkeypatch.setenv("BOTYARD_HOME", str(tmp_path))
    database = Database(sqlite_url)
    async with stage(database, tmp_path) as one:
        yield one
    await database.close()
