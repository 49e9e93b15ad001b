"""Jobs as workflows: what a crash cut short goes on where it was."""

import asyncio
from pathlib import Path

import pytest

from core.jobs import durable
from core.jobs.runner import Runner
from db import jobs
from tests.jobs.conftest import Workshop
from tests.jobs.studio import VENDORS


async def until_ended(shop: Workshop, *job_ids: str) -> list[object]:
    async with asyncio.timeout(20):
        while True:
            rows = [await shop.row(job_id) for job_id in job_ids]
            if all(row.status in jobs.ENDED for row in rows):
                return rows
            await asyncio.sleep(0.02)


async def test_the_runner_works_off_its_queues(
    shop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    durable.launch(shop.bench, tmp_path, shop.database.url)
    runner = Runner(shop.bench, {"cloud": 2}, durable.run)
    VENDORS["one"].step_seconds = 0.05
    ids = [await shop.order() for _ in range(5)]
    other = await shop.order(queue="gpu")
    running = asyncio.create_task(runner.run())
    try:
        rows = await until_ended(shop, *ids)
        assert {row.status for row in rows} == {"done"}
        assert len(VENDORS["one"].submits) == 5
        assert (await shop.row(other)).status == "waiting"
        late = await shop.order()
        runner.wake()
        await until_ended(shop, late)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await asyncio.to_thread(durable.shut, 1)


async def test_a_claimed_job_is_taken_up_by_the_next_runner(shop: Workshop, tmp_path: Path) -> None:
    """The runner died between the claim and the first step."""
    job_id = await shop.order()
    await shop.claim()
    durable.launch(shop.bench, tmp_path, shop.database.url)
    running = asyncio.create_task(Runner(shop.bench, {"cloud": 1}, durable.run).run())
    try:
        (row,) = await until_ended(shop, job_id)
        assert row.status == "done"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await asyncio.to_thread(durable.shut, 1)


async def test_a_job_that_waited_too_long_fails(shop: Workshop) -> None:
    job_id = await shop.order(queue="nobody")
    async with shop.database.transaction() as conn:
        await conn.execute(jobs.JOB.update().values(expires_at=1.0))
    runner = Runner(shop.bench, {"cloud": 1}, durable.run)
    task = asyncio.create_task(runner.run())
    try:
        (row,) = await until_ended(shop, job_id)
        assert (row.status, row.reason) == ("failed", "expired")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
