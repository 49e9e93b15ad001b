"""Several runners over the same rows: each minds its own jobs, and one that fell silent is relieved."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from core.jobs import durable
from core.jobs.__main__ import own_name
from core.jobs.asking import submit
from core.jobs.choosing import choose
from core.jobs.runner import Runner, Work
from db import job_runners, jobs
from db.base import now
from tests.jobs.conftest import Workshop
from tests.jobs.studio import VENDORS
from tests.jobs.test_durable import until_ended


@asynccontextmanager
async def working(shop: Workshop, name: str, work: Work = durable.run) -> AsyncIterator[Runner]:
    one = Runner(shop.bench, {"cloud": 4}, work, name)
    task = asyncio.create_task(one.run())
    try:
        yield one
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_claimed(shop: Workshop, job_id: str) -> None:
    async with asyncio.timeout(10):
        while (await shop.row(job_id)).status == jobs.WAITING:
            await asyncio.sleep(0.01)


async def stuck(_job_id: str, _attempt: int, _life: int) -> None:
    """A machine that claimed a job and was cut off from everything."""
    await asyncio.Event().wait()


async def silence(shop: Workshop, name: str) -> None:
    async with shop.database.transaction() as conn:
        long_ago = now() - job_runners.LOST_AFTER - 1
        mine = job_runners.RUNNER.c.id == name
        await conn.execute(job_runners.RUNNER.update().where(mine).values(seen_at=long_ago))


async def test_a_runner_that_starts_leaves_the_jobs_of_a_living_one_alone(
    shop: Workshop, tmp_path: Path
) -> None:
    durable.launch(shop.bench, tmp_path, shop.database.url, "b")
    try:
        async with working(shop, "a", stuck):
            held = await shop.order()
            await until_claimed(shop, held)
            async with working(shop, "b") as second:
                other = await shop.order()
                second.wake()
                await until_claimed(shop, other)
                await asyncio.sleep(0.2)
                row = await shop.row(held)
        assert (row.status, row.runner, row.attempt) == ("running", "a", 1)
    finally:
        await asyncio.to_thread(durable.shut, 1)


async def test_the_jobs_of_a_silent_runner_are_taken_over_and_it_can_no_longer_end_them(
    shop: Workshop, tmp_path: Path
) -> None:
    durable.launch(shop.bench, tmp_path, shop.database.url, "b")
    try:
        async with working(shop, "a", stuck):
            job_id = await shop.order()
            await until_claimed(shop, job_id)
            await silence(shop, "a")
            async with working(shop, "b"):
                (row,) = await until_ended(shop, job_id)
        assert (row.status, row.runner, row.attempt) == ("done", "b", 2)
        assert len(VENDORS["one"].submits) == 1
        async with shop.database.transaction() as conn:
            assert not await jobs.end_job(conn, job_id, 1, jobs.FAILED)
    finally:
        await asyncio.to_thread(durable.shut, 1)


async def test_what_was_submitted_is_not_submitted_again_by_the_one_who_takes_over(
    shop: Workshop, tmp_path: Path
) -> None:
    async def half(job_id: str, attempt: int, _life: int) -> None:
        await choose(shop.bench, job_id, attempt)
        await submit(shop.bench, job_id, attempt)
        await asyncio.Event().wait()

    durable.launch(shop.bench, tmp_path, shop.database.url, "b")
    try:
        async with working(shop, "a", half):
            job_id = await shop.order()
            async with asyncio.timeout(10):
                while not (await shop.row(job_id)).submit.get("handle"):
                    await asyncio.sleep(0.01)
        await silence(shop, "a")
        async with working(shop, "b"):
            (row,) = await until_ended(shop, job_id)
        assert row.status == "done" and len(VENDORS["one"].submits) == 1
    finally:
        await asyncio.to_thread(durable.shut, 1)


def test_a_home_keeps_the_name_of_its_runner(tmp_path: Path) -> None:
    name = own_name(tmp_path)
    assert own_name(tmp_path) == name
    (tmp_path / "other").mkdir()
    assert own_name(tmp_path / "other") != name
