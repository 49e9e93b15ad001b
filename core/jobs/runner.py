"""The jobs runner: takes waiting jobs in their order, so many of each queue at once."""

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from core.jobs.bench import Bench
from core.jobs.submit import ended_waiting
from db import job_runners, jobs
from db.base import now
from db.trouble import Unavailable

LOOK_EVERY = 1.0  # seconds between looks at the rows by a runner that missed its wake-up
TEND_EVERY = 30.0  # seconds between saying that we live, looking for orphans and for what waited too long
PAUSE = 1.0
LONGEST_PAUSE = 60.0
Work = Callable[[str, int, int], Awaitable[None]]
logger = logging.getLogger(__name__)


class Runner:
    """Claims rows and works on them; `queues` says how many of each queue run at once. `work` runs an attempt
    to its end; its last argument counts the times that it ended without ending the job. `name` tells it from
    the runners of other machines, and stays the same for its whole home's life."""

    def __init__(self, bench: Bench, queues: Mapping[str, int], work: Work, name: str = "runner") -> None:
        self._bench = bench
        self._name = name
        self._work = work
        self._queues = dict(queues)
        self._wake = asyncio.Event()
        self._running: dict[str, tuple[str, asyncio.Task[None]]] = {}
        self._tend_at = 0.0

    def wake(self) -> None:
        """Look at the rows now."""
        self._wake.set()

    async def run(self) -> None:
        """Take jobs until cancelled."""
        await self._recover()
        while True:
            try:
                await self._round()
            except (Unavailable, SQLAlchemyError) as error:
                logger.warning("the rows cannot be used now: %s", error)
                await asyncio.sleep(PAUSE)
            with suppress(TimeoutError):  # wait_for would lose a cancellation that comes with the wake-up
                async with asyncio.timeout(LOOK_EVERY):
                    await self._wake.wait()
            self._wake.clear()

    async def _recover(self) -> None:
        """Take up what ran when this runner died."""
        while True:
            try:
                async with self._bench.database.transaction() as conn:
                    await job_runners.say_alive(conn, self._name)
                    rows = await job_runners.own_jobs(conn, self._name)
                break
            except Unavailable as error:
                logger.warning("the rows cannot be read now: %s", error)
                await asyncio.sleep(PAUSE)
        for row in rows:
            logger.info("job %s is taken up again", row.id)
            self._follow(row.queue, row.id, row.attempt)

    async def _round(self) -> None:
        if time.monotonic() >= self._tend_at:
            self._tend_at = time.monotonic() + TEND_EVERY
            await self._relieve()
            await self._expire()
        while free := self._free():
            async with self._bench.database.reading() as conn:
                if not await jobs.is_anything_due(conn, free):
                    return
            async with self._bench.database.transaction() as conn:
                row = await jobs.claim_next(conn, free, self._name)
            if row is None:
                return
            self._follow(row.queue, row.id, row.attempt)

    def _free(self) -> list[str]:
        """The queues that have room."""
        busy = [queue for queue, _ in self._running.values()]
        return [name for name, most in self._queues.items() if busy.count(name) < most]

    def _follow(self, queue: str, job_id: str, attempt: int) -> None:
        task = asyncio.create_task(self._one(job_id, attempt))
        self._running[job_id] = queue, task
        task.add_done_callback(lambda _: self._ended(job_id))

    def _ended(self, job_id: str) -> None:
        self._running.pop(job_id, None)
        self._wake.set()

    async def _one(self, job_id: str, attempt: int) -> None:
        """Run an attempt to its end; one whose workflow broke begins again, later and later."""
        for life in itertools.count():
            try:
                await self._work(job_id, attempt, life)
                if await self._bench.job(job_id, attempt) is None:
                    return
            except Exception:  # process edge: one job must not end the others
                logger.exception("job %s: attempt %s broke", job_id, attempt)
            await asyncio.sleep(min(PAUSE * 2**life, LONGEST_PAUSE))

    async def _relieve(self) -> None:
        """Say that we live, and go on with the jobs of runners that do not."""
        async with self._bench.database.transaction() as conn:
            await job_runners.say_alive(conn, self._name)
            rows = await job_runners.relieve(conn, self._name, list(self._queues))
        for row in rows:
            logger.info("job %s is taken over from a runner that fell silent", row.id)
            self._follow(row.queue, row.id, row.attempt)

    async def _expire(self) -> None:
        async with self._bench.database.transaction() as conn:
            rows = await jobs.expire(conn, now())
            for row in rows:
                await ended_waiting(conn, row)
        for row in rows:
            logger.info("job %s waited too long", row.id)
            if row.channel_id:
                await self._bench.wake(row.channel_id)
