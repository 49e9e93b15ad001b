"""Writes what the supervisor observes into the rows: many changes in one short transaction."""

import asyncio
import logging
from collections.abc import Mapping

from sqlalchemy.exc import SQLAlchemyError

from core.fleet.unit import Unit
from db.channels import observe_channel
from db.database import Database

BATCH_SECONDS = 0.1
RETRY_SECONDS = 2.0
logger = logging.getLogger(__name__)


class Observed:
    """Channels whose row is behind; `write` runs until cancelled."""

    def __init__(self, database: Database, units: Mapping[str, Unit]) -> None:
        self._database = database
        self._units = units
        self._behind: set[str] = set()
        self._changed = asyncio.Event()

    def mark(self, channel_id: str) -> None:
        """This channel's state changed."""
        self._behind.add(channel_id)
        self._changed.set()

    async def write(self) -> None:
        """Write changes as they come; a database that cannot be written is tried again."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(BATCH_SECONDS)
            try:
                await self.flush()
            except (SQLAlchemyError, OSError) as error:
                logger.error("observed states not written, trying again: %s", type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    async def flush(self) -> None:
        """Write all that is behind now."""
        self._changed.clear()
        behind, self._behind = self._behind, set()
        units = [self._units[channel_id] for channel_id in behind if channel_id in self._units]
        try:
            async with self._database.transaction() as conn:
                for unit in units:
                    await observe_channel(
                        conn,
                        unit.wanted.id,
                        state=unit.state,
                        state_reason=unit.reason,
                        state_since=unit.since,
                        pid=unit.pid,
                        restarts=unit.restarts,
                        address=unit.address,
                    )
        except (SQLAlchemyError, OSError):
            self._behind |= behind
            self._changed.set()
            raise
