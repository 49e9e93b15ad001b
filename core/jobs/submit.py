"""Ordering a job, and what people may do with one: cancel, retry, move to the front."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from core.jobs.order import Order
from core.media.moderation import allowed
from db import jobs
from db.base import new_id, now
from db.database import Database
from providers.media.types import Task

HOURS = 3600.0
LONGEST_PROMPT = 20_000  # characters; a model's own limit is shorter, and is checked when it is asked
PRIORITIES = {"chat": 10, "tool": 10, "panel": 10, "api": 0, "mcp": 0}


class NotOrdered(ValueError):
    """An order that cannot be taken: `reason` is long, no_route or moderated."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


async def place(conn: AsyncConnection, order: Order, ttl_hours: float = 24.0, job_id: str = "") -> Any:
    """Store an order as a waiting job and return its row; the job that is there already when the order's key
    was used before. Raises NotOrdered."""
    if not order.candidates:
        raise NotOrdered("no_route")
    if len(order.wish.prompt) > LONGEST_PROMPT or len(order.wish.negative) > LONGEST_PROMPT:
        raise NotOrdered("long")
    if not allowed(order.wish.prompt, order.rating):
        raise NotOrdered("moderated")
    moment = now()
    return await jobs.add_job(
        conn,
        id=job_id or new_id(),
        queue=order.queue,
        task=str(order.wish.task),
        lane=order.lane or PRIORITIES.get(order.source, 0),
        route_id=order.route_id,
        candidates=list(order.candidates),
        request=order.wish.to_json(),
        reply=order.reply.to_json() if order.reply else {},
        source=order.source,
        channel_id=order.channel_id or None,
        chat_key=order.chat_key,
        user_key=order.user_key[:100],
        key_id=order.key_id,
        idempotency_key=key_of(order),
        language=order.language,
        not_before=moment + order.delay if order.delay else 0.0,
        expires_at=moment + order.delay + ttl_hours * HOURS,
    )


async def submit(database: Database, order: Order, ttl_hours: float = 24.0) -> Any:
    """`place` in a transaction of its own. Raises NotOrdered."""
    async with database.transaction() as conn:
        return await place(conn, order, ttl_hours)


async def cancel(database: Database, job_id: str) -> str | None:
    """Cancel a job: its status then, "running" while it is being stopped; None when it has ended."""
    async with database.transaction() as conn:
        return await jobs.cancel_job(conn, job_id)


async def retry(database: Database, job_id: str, ttl_hours: float = 24.0) -> bool:
    """Let a failed or cancelled job wait once more."""
    async with database.transaction() as conn:
        return await jobs.again(conn, job_id, now() + ttl_hours * HOURS)


async def to_front(database: Database, job_id: str) -> bool:
    """Move a waiting job before all others."""
    async with database.transaction() as conn:
        return await jobs.put_first(conn, job_id)


def key_of(order: Order) -> str | None:
    """What makes a repeated order the same job; None for one without a key."""
    return f"{order.source}:{order.key_id}:{order.key}"[:200] if order.key else None


async def ordered_before(conn: AsyncConnection, order: Order) -> Any | None:
    """The job that an order's key was used for."""
    query = select(jobs.JOB).where(jobs.JOB.c.idempotency_key == key_of(order))
    return (await conn.execute(query)).one_or_none() if order.key else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs are looked for. `key_id` None: everybody's; `makes` is image or video; `older` is the last
    id of the page before."""

    key_id: str | None = None
    status: str = ""
    source: str = ""
    makes: str = ""
    older: str = ""


async def find_jobs(conn: AsyncConnection, wanted: Wanted, limit: int) -> list[Any]:
    """Jobs, newest first."""
    query = select(jobs.JOB)
    if wanted.key_id is not None:
        query = query.where(jobs.JOB.c.key_id == wanted.key_id)
    if wanted.status:
        query = query.where(jobs.JOB.c.status == wanted.status)
    if wanted.source:
        query = query.where(jobs.JOB.c.source == wanted.source)
    if wanted.makes:
        query = query.where(jobs.JOB.c.task.in_([one for one in Task if one.makes == wanted.makes]))
    if wanted.older:
        query = query.where(jobs.JOB.c.id < wanted.older)
    return list((await conn.execute(query.order_by(jobs.JOB.c.id.desc()).limit(limit))).all())


async def forget(conn: AsyncConnection, job_id: str) -> bool:
    """Delete a job that has ended; False for others."""
    ended = (jobs.JOB.c.id == job_id, jobs.JOB.c.status.in_(jobs.ENDED))
    return (await conn.execute(delete(jobs.JOB).where(*ended))).rowcount == 1
