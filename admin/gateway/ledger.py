"""What API callers used, written after their answers, many in one transaction."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from core.gateway_keys import GatewayKeys
from db import gateway_keys
from db.database import Database
from db.trouble import Unavailable

LINGER = 0.5  # seconds in which answers that end are written together
AGAIN_AFTER = 2.0  # seconds after which an unreachable database is tried again
AT_ONCE = 200  # answers in one transaction
MOST_WAITING = 50_000  # answers; beyond, the oldest are dropped: memory has an end
Write = Callable[[AsyncConnection], Awaitable[None]]
logger = logging.getLogger(__name__)


class Ledger:
    """Writes in the background what is handed in. Nothing of it is lost when clients leave or the process is
    told to stop; kill -9 loses the last LINGER, and a database that stays away all over MOST_WAITING."""

    def __init__(self, database: Database, keys: GatewayKeys) -> None:
        self._database = database
        self._keys = keys
        self._waiting: deque[Write] = deque(maxlen=MOST_WAITING)
        self._closing = asyncio.Event()
        self._working: asyncio.Task[None] | None = None

    def add(self, write: Write | None = None) -> None:
        """Something to write; without it only what the keys have to tell."""
        if write is not None:
            self._waiting.append(write)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Write all that is left."""
        self._closing.set()
        if self._working is not None:
            await self._working
        self._working = None

    async def _work(self) -> None:
        pause = LINGER
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._closing.wait()
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), AT_ONCE))]
            away = not await self._wrote(batch)
            if away and not self._closing.is_set():
                self._waiting.extendleft(reversed(batch))
            elif away:
                logger.error("the database is away: the usage of %s answers is lost", len(batch))
            pause = AGAIN_AFTER if away else LINGER
            if not self._waiting:
                return

    async def _wrote(self, batch: Sequence[Write]) -> bool:
        """False when the database is away."""
        try:
            async with self._database.transaction(durable=False) as conn:
                for write in batch:
                    await write(conn)
                await gateway_keys.used(conn, self._keys.uses_to_tell())
        except Unavailable:
            return False
        except SQLAlchemyError:
            if len(batch) == 1:
                logger.exception("the usage of an answer cannot be written")
                return True
            for write in batch:  # one of them is wrong: it must not take the others along
                if not await self._wrote([write]):
                    return False
        return True
