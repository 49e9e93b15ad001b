"""Fixtures of the widget's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.widget.stage import Stage, staged


@pytest.fixture(scope="session")
def web_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compressed files and compiled templates, made once."""
    return tmp_path_factory.mktemp("web-cache")


@pytest.fixture
async def widget(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, web_cache: Path
) -> AsyncIterator[Stage]:
    """A widget that a website embeds, from its process to the public address."""
    monkeypatch.setenv("BOTYARD_HOME", str(tmp_path))
    async with staged(sqlite_url, tmp_path, web_cache) as one:
        yield one
