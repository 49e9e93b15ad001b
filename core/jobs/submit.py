"""Ordering a job, cancelling one and letting one wait once more: the same for chats, panel and programs."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.jobs.answering import answer_chat, working_message
from core.jobs.order import Order
from core.limits.jobs import settle_job
from core.media.moderation import ADULT, allowed
from db import artifacts, jobs, outbox
from db.base import new_id, now
from db.database import Database

HOURS = 3600.0
LONGEST_PROMPT = 20_000  # characters; a model's own limit is shorter, and is checked when it is asked
LONGEST_DELAY = 30 * 24 * HOURS  # seconds; what limits reserve is remembered for 32 days
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
        rating=await _rating(conn, order),
        phase=jobs.SCHEDULED if order.delay else jobs.WAITING,
        not_before=moment + order.delay if order.delay else 0.0,
        expires_at=moment + order.delay + ttl_hours * HOURS,
    )


async def _rating(conn: AsyncConnection, order: Order) -> str:
    """Adult for an adult character, and for what is made of something that is."""
    for source in order.wish.inputs:
        made = await artifacts.get_artifact(conn, source.artifact) if source.artifact else None
        if made is not None and made.rating == ADULT:
            return ADULT
    return order.rating


async def submit(database: Database, order: Order, ttl_hours: float = 24.0) -> Any:
    """`place` in a transaction of its own. Raises NotOrdered."""
    async with database.transaction() as conn:
        return await place(conn, order, ttl_hours)


async def cancel(conn: AsyncConnection, job_id: str) -> str | None:
    """Cancel a job: its status then, "running" while it is being stopped; None when it has ended or is none.
    One that waited is settled and its chat told here, since nobody else will."""
    status = await jobs.cancel_job(conn, job_id)
    if status == jobs.CANCELLED:
        await ended_waiting(conn, await jobs.get_job(conn, job_id))
    return status


async def ended_waiting(conn: AsyncConnection, row: Any) -> None:
    """Settle a job that ended before it began, and tell its chat."""
    await settle_job(conn, row)
    await answer_chat(conn, row, row.status, row.reason, [])


async def retry(conn: AsyncConnection, job_id: str, ttl_hours: float = 24.0) -> bool:
    """Let a failed or cancelled job wait once more, and say so in its chat; False for others."""
    if not await jobs.again(conn, job_id, now() + ttl_hours * HOURS):
        return False
    row: Any = await jobs.get_job(conn, job_id)
    if row.channel_id and row.reply:
        message = working_message(row)
        await outbox.add_outbound(conn, row.channel_id, row.chat_key, message.to_json(), message.message_id)
    return True


def key_of(order: Order) -> str | None:
    """What makes a repeated order the same job; None for one without a key."""
    return f"{order.source}:{order.key_id}:{order.key}"[:200] if order.key else None


async def ordered_before(conn: AsyncConnection, order: Order) -> Any | None:
    """The job that an order's key was used for."""
    key = key_of(order)
    return await jobs.find_by_key(conn, key) if key else None
