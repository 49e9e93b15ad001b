"""Who works on jobs: each runner says again and again that it lives, and one that fell silent is relieved."""

from typing import Any, cast

from sqlalchemy import Float, String, Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, now
from db.jobs import JOB, RUNNING

LOST_AFTER = 90.0  # seconds of silence; clocks of the machines must agree better than that


class JobRunner(Row):
    """One jobs runner of one machine, and when it was last heard of."""

    __tablename__ = "job_runner"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    seen_at: Mapped[float] = mapped_column(Float)


RUNNER = cast(Table, JobRunner.__table__)


async def say_alive(conn: AsyncConnection, runner: str) -> None:
    """This runner lives."""
    moment = now()
    heard = await conn.execute(update(RUNNER).where(RUNNER.c.id == runner).values(seen_at=moment))
    if not heard.rowcount:
        await conn.execute(insert(RUNNER).values(id=runner, seen_at=moment))


async def own_jobs(conn: AsyncConnection, runner: str) -> list[Any]:
    """What this runner worked on when it died."""
    mine = select(JOB).where(JOB.c.status == RUNNING, JOB.c.runner == runner).order_by(JOB.c.id)
    return list((await conn.execute(mine)).all())


async def relieve(conn: AsyncConnection, runner: str, queues: list[str]) -> list[Any]:
    """Take over the running jobs of runners that fell silent, each as its next attempt: should the silent
    one go on after all, its attempt is no longer the running one. What was begun at a provider stays."""
    alive = select(RUNNER.c.id).where(RUNNER.c.seen_at > now() - LOST_AFTER)
    orphaned = (
        select(JOB.c.id)
        .where(JOB.c.status == RUNNING, JOB.c.queue.in_(queues), JOB.c.runner != runner)
        .where(JOB.c.runner.not_in(alive))
        .with_for_update(skip_locked=True)
    )
    taken = (
        update(JOB)
        .where(JOB.c.id.in_(orphaned), JOB.c.status == RUNNING)
        .values(runner=runner, attempt=JOB.c.attempt + 1)
        .returning(*JOB.c)
    )
    return list((await conn.execute(taken)).all())
