"""Fixtures of the panel's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.admin.panel import Panel, running_panel


@pytest.fixture
async def panel(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Panel]:
    """A running panel without an owner."""
    async with running_panel(tmp_path, sqlite_template) as panel:
        yield panel


@pytest.fixture
async def owned(panel: Panel) -> Panel:
    """A running panel whose owner is signed in."""
    await panel.set_up()
    return panel
