"""Looking at jobs for programs: their own only, and each change as it comes."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

from admin.gateway.images_errors import no_job
from core.gateway_keys import GatewayKey
from db import artifacts, jobs
from db.database import Database
from db.job_lists import Wanted, find_jobs
from db.trouble import Unavailable

FIRST_LOOK, LAST_LOOK = 0.02, 0.25  # seconds between looks at a job: a twentieth of how long it takes
QUIET = 15.0  # seconds without news after which the same is told again
LONGEST_ID = 64
AGAIN_AFTER = 1.0  # seconds after which a database that is away is asked again
SEEN = ("status", "phase", "fraction", "step", "position", "eta", "attempt", "provider_id", "model")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a gateway key, or None for an operator's token. `source` is api or mcp."""

    key: GatewayKey | None = None
    source: str = "api"

    @property
    def key_id(self) -> str:
        """The key's id, "" without one."""
        return self.key.id if self.key else ""


def is_id(value: str) -> bool:
    """Whether it may be asked of a database."""
    return 0 < len(value) <= LONGEST_ID and value.isascii() and value.isprintable()


class Reading:
    """Shows jobs to those who may see them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def job(self, caller: Caller, job_id: str) -> Any:
        """A job that the caller may see."""
        row: Any = None
        if is_id(job_id):
            async with self._database.reading() as conn:
                row = await jobs.get_job(conn, job_id)
        if row is None or (caller.key is not None and row.key_id != caller.key.id):
            raise no_job(job_id)
        return row

    async def jobs(self, caller: Caller, wanted: Wanted, limit: int) -> list[Any]:
        """The jobs that the caller may see, newest first."""
        if caller.key is not None:
            wanted = replace(wanted, key_id=caller.key.id)
        async with self._database.reading() as conn:
            return await find_jobs(conn, wanted, limit)

    async def made(self, row: Any) -> list[Any]:
        """The artifacts of a job."""
        async with self._database.reading() as conn:
            return await artifacts.artifacts_of(conn, row.id)

    async def ahead(self, row: Any) -> int | None:
        """How many jobs come before it; None when it neither waits nor stands in a vendor's queue."""
        if row.status != jobs.WAITING:
            return row.position if row.status == jobs.RUNNING else None
        async with self._database.reading() as conn:
            return await jobs.before(conn, row)

    async def follow(self, job_id: str) -> AsyncIterator[tuple[Any, int | None]]:
        """Its row and how many are before it, at each change and whenever it was quiet for a while, until it
        has ended or is gone."""
        last: Any = None
        began = told = time.monotonic()
        while True:
            try:
                async with self._database.reading() as conn:
                    row = await jobs.get_job(conn, job_id)
                    waits = row is not None and row.status == jobs.WAITING
                    ahead = await jobs.before(conn, row) if waits else getattr(row, "position", None)
            except Unavailable as error:
                logger.info("job %s cannot be looked at now: %s", job_id, error)
                await asyncio.sleep(AGAIN_AFTER)
                continue
            if row is None:
                return
            seen = (ahead, *(getattr(row, name) for name in SEEN))
            if seen != last or time.monotonic() - told > QUIET:
                last, told = seen, time.monotonic()
                yield row, ahead
            if row.status in jobs.ENDED:
                return
            passed = time.monotonic() - began
            await asyncio.sleep(min(max(passed / 20, FIRST_LOOK), LAST_LOOK))

    async def ended(self, job_id: str) -> Any:
        """Its row when it has ended."""
        async for row, _ in self.follow(job_id):
            if row.status in jobs.ENDED:
                return row
        raise no_job(job_id)
