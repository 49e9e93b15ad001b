"""Fixtures of the bots' tests."""

from collections.abc import AsyncIterator

import pytest

from tests.bots.host import Live, open_channel
from tests.fakes.bot_api import FakeBotApi, fake_bot_api


@pytest.fixture
async def api() -> AsyncIterator[FakeBotApi]:
    """A fake Bot API server."""
    async with fake_bot_api() as server:
        yield server


@pytest.fixture
async def live(api: FakeBotApi) -> AsyncIterator[Live]:
    """A channel signed in at the fake server."""
    async with open_channel(api) as channel:
        yield channel
