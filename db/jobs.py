"""Jobs: long work as rows. The row is the truth; what runs it may die at any moment."""

from typing import Any, cast

from sqlalchemy import (
    JSON,
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)  # fmt: skip
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, new_id, now
from db.job_previews import PREVIEW

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"
ENDED = (DONE, FAILED, CANCELLED)
SCHEDULED = "scheduled"  # the phase of a waiting job that may begin at its time only


class Job(Row):
    """One picture or video to make, and everything that is known of it.

    `status` is waiting, running, done, failed or cancelled; whoever ends it names the `attempt` that he
    ends, so that an attempt that was given up cannot. `request` is a MediaRequest as JSON, its inputs by
    artifact or upload; `reply` says where the result is to be sent (core/jobs/order.py). `lane` orders
    waiting jobs: higher first, then by `rank`. `submit` remembers what was begun at a provider:
    key, provider_id, model, key_number, and the handle once there is one. `tried` are the attempts at
    candidates, with what became of each. `runner` works on it (db/job_runners.py). `fraction` is 0 to 1;
    `eta` in seconds. `phase` is waiting, scheduled (until `not_before`), loading, running or saving, and the
    status when it has ended. `rating` is general or adult: that of what is made.
    """

    __tablename__ = "job"
    __table_args__ = (
        Index("job_status", "status", "queue", "lane", "rank"),
        Index("job_key", "idempotency_key", unique=True),
        Index("job_made", "created_at"),
        Index("job_channel", "channel_id", "status"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    queue: Mapped[str] = mapped_column(String(16))
    task: Mapped[str] = mapped_column(String(24))
    status: Mapped[str] = mapped_column(String(10))
    attempt: Mapped[int] = mapped_column(Integer, default=1)
    runner: Mapped[str] = mapped_column(String(36), default="", server_default="")
    lane: Mapped[int] = mapped_column(Integer, default=0)
    rank: Mapped[float] = mapped_column(Float)
    route_id: Mapped[str | None] = mapped_column(String(32))
    candidates: Mapped[list[str]] = mapped_column(JSON, default=list)
    request: Mapped[dict[str, Any]] = mapped_column(JSON)
    reply: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    source: Mapped[str] = mapped_column(String(16))
    channel_id: Mapped[str | None] = mapped_column(ForeignKey("channel.id", ondelete="CASCADE"))
    chat_key: Mapped[str] = mapped_column(String(100), default="")
    user_key: Mapped[str] = mapped_column(String(100), default="")
    key_id: Mapped[str] = mapped_column(String(64), default="")
    idempotency_key: Mapped[str | None] = mapped_column(String(200))
    language: Mapped[str] = mapped_column(String(8), default="en")
    rating: Mapped[str] = mapped_column(String(16), default="general", server_default="general")
    phase: Mapped[str] = mapped_column(String(10), default="waiting")
    fraction: Mapped[float | None] = mapped_column(Float)
    step: Mapped[int] = mapped_column(Integer, default=0)
    steps: Mapped[int] = mapped_column(Integer, default=0)
    position: Mapped[int | None] = mapped_column(Integer)
    eta: Mapped[float | None] = mapped_column(Float)
    provider_id: Mapped[str] = mapped_column(String(32), default="")
    model: Mapped[str] = mapped_column(String(200), default="")
    submit: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    tried: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    engine_kills: Mapped[int] = mapped_column(Integer, default=0)
    cancel: Mapped[bool] = mapped_column(Boolean, default=False)
    reason: Mapped[str] = mapped_column(String(24), default="")
    error: Mapped[str] = mapped_column(Text, default="")
    cost: Mapped[float | None] = mapped_column(Float)
    not_before: Mapped[float] = mapped_column(Float, default=0.0)
    expires_at: Mapped[float] = mapped_column(Float)
    created_at: Mapped[float] = mapped_column(Float)
    started_at: Mapped[float | None] = mapped_column(Float)
    finished_at: Mapped[float | None] = mapped_column(Float)


JOB = cast(Table, Job.__table__)
BLANK: dict[str, Any] = {
    "status": WAITING, "attempt": 1, "runner": "", "lane": 0, "route_id": None, "candidates": [], "reply": {},
    "channel_id": None, "chat_key": "", "user_key": "", "key_id": "", "idempotency_key": None,
    "language": "en", "rating": "general", "phase": WAITING, "fraction": None, "step": 0, "steps": 0,
    "position": None, "eta": None, "provider_id": "", "model": "", "submit": {}, "tried": [],
    "engine_kills": 0, "cancel": False, "reason": "", "error": "", "cost": None, "not_before": 0.0,
    "started_at": None, "finished_at": None,
}  # fmt: skip
ORDER = (JOB.c.lane.desc(), JOB.c.rank, JOB.c.id)
GET = select(JOB).where(JOB.c.id == bindparam("wanted"))
UNENDED = JOB.c.status.in_((WAITING, RUNNING))
UNENDED_OF = select(JOB).where(JOB.c.channel_id == bindparam("channel"), UNENDED)


async def add_job(conn: AsyncConnection, **values: Any) -> Any:
    """Store a job and return its row. With an idempotency key that is there already, the job that has it."""
    key = values.get("idempotency_key")
    if key is not None and (there := await find_by_key(conn, key)) is not None:
        return there
    moment = now()
    row = {**BLANK, "id": new_id(), "rank": moment, "created_at": moment, **values}
    return (await conn.execute(insert(JOB).values(row).returning(*JOB.c))).one()


async def get_job(conn: AsyncConnection, job_id: str) -> Any | None:
    """One job."""
    return (await conn.execute(GET, {"wanted": job_id})).one_or_none()


async def claim_next(conn: AsyncConnection, queues: list[str], runner: str = "") -> Any | None:
    """Make the first waiting job that may begin a running one; None when there is none."""
    moment = now()
    first = (
        select(JOB.c.id)
        .where(JOB.c.status == WAITING, JOB.c.queue.in_(queues), JOB.c.not_before <= moment)
        .order_by(*ORDER)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    claimed = (
        update(JOB)
        .where(JOB.c.id == first.scalar_subquery(), JOB.c.status == WAITING)
        .values(
            status=RUNNING, phase=RUNNING, runner=runner, started_at=func.coalesce(JOB.c.started_at, moment)
        )
        .returning(*JOB.c)
    )
    return (await conn.execute(claimed)).one_or_none()


async def is_anything_due(conn: AsyncConnection, queues: list[str]) -> bool:
    """Whether a waiting job may begin now: a look without a lock."""
    due = (JOB.c.status == WAITING, JOB.c.queue.in_(queues), JOB.c.not_before <= now())
    return (await conn.execute(select(JOB.c.id).where(*due).limit(1))).first() is not None


async def has_unended(conn: AsyncConnection) -> bool:
    """Whether any job waits or runs."""
    return (await conn.execute(select(JOB.c.id).where(UNENDED).limit(1))).first() is not None


async def change_job(conn: AsyncConnection, job_id: str, attempt: int, **values: Any) -> bool:
    """Write to a job that still runs in this attempt; False when it does not any more."""
    found = await conn.execute(
        update(JOB)
        .where(JOB.c.id == job_id, JOB.c.attempt == attempt, JOB.c.status == RUNNING)
        .values(**values)
    )
    return found.rowcount == 1


async def end_job(conn: AsyncConnection, job_id: str, attempt: int, status: str, **values: Any) -> bool:
    """End a running job, once. False when this attempt is not the running one."""
    await conn.execute(delete(PREVIEW).where(PREVIEW.c.job_id == job_id))
    ended = {"status": status, "finished_at": now(), "phase": status, "eta": None, "position": None}
    return await change_job(conn, job_id, attempt, **ended, **values)


async def wait_again(conn: AsyncConnection, row: Any, tried: list[dict[str, Any]], until: float) -> bool:
    """Put a running job back among the waiting ones until a moment, as its next attempt."""
    waiting = {
        "status": WAITING, "phase": WAITING, "attempt": row.attempt + 1, "submit": {}, "tried": tried,
        "not_before": until,
    }  # fmt: skip
    ours = (JOB.c.id == row.id, JOB.c.attempt == row.attempt, JOB.c.status == RUNNING)
    return (await conn.execute(update(JOB).where(*ours).values(**waiting))).rowcount == 1


async def cancel_job(conn: AsyncConnection, job_id: str) -> str | None:
    """Cancel: a waiting job is cancelled at once, a running one is asked to end. Its status then; None when
    there is none or it has ended."""
    at_once = (
        update(JOB)
        .where(JOB.c.id == job_id, JOB.c.status == WAITING)
        .values(status=CANCELLED, phase=CANCELLED, cancel=True, finished_at=now(), reason="cancelled")
    )
    if (await conn.execute(at_once)).rowcount:
        return CANCELLED
    asked = update(JOB).where(JOB.c.id == job_id, JOB.c.status == RUNNING).values(cancel=True)
    return RUNNING if (await conn.execute(asked)).rowcount else None


async def put_first(conn: AsyncConnection, job_id: str) -> bool:
    """Move a waiting job to the front of its lane; False when it waits no more."""
    first = select(func.min(JOB.c.rank)).where(JOB.c.status == WAITING).scalar_subquery()
    lane = select(func.max(JOB.c.lane)).where(JOB.c.status == WAITING).scalar_subquery()
    moved = await conn.execute(
        update(JOB)
        .where(JOB.c.id == job_id, JOB.c.status == WAITING)
        .values(rank=first - 1.0, lane=lane, not_before=0.0, phase=WAITING)
    )
    return moved.rowcount == 1


async def again(conn: AsyncConnection, job_id: str, expires_at: float) -> bool:
    """Let a failed or cancelled job wait once more, as its next attempt; False for others."""
    moment = now()
    fresh = {
        "status": WAITING, "phase": WAITING, "rank": moment, "attempt": JOB.c.attempt + 1, "cancel": False,
        "submit": {}, "tried": [], "engine_kills": 0, "reason": "", "error": "", "fraction": None, "step": 0,
        "steps": 0, "eta": None, "position": None, "finished_at": None, "started_at": None, "not_before": 0.0,
        "expires_at": expires_at,
    }  # fmt: skip
    wanted = and_(JOB.c.id == job_id, JOB.c.status.in_((FAILED, CANCELLED)))
    return (await conn.execute(update(JOB).where(wanted).values(**fresh))).rowcount == 1


async def expire(conn: AsyncConnection, moment: float) -> list[Any]:
    """Fail the waiting jobs whose time is over; returns them."""
    late = (
        update(JOB)
        .where(JOB.c.status == WAITING, JOB.c.expires_at < moment)
        .values(status=FAILED, phase=FAILED, reason="expired", finished_at=moment)
        .returning(*JOB.c)
    )
    return list((await conn.execute(late)).all())


async def before(conn: AsyncConnection, row: Any) -> int | None:
    """How many jobs of its queue that may begin now come before a waiting one; None for one whose time has
    not come."""
    moment = now()
    if row.phase == SCHEDULED and row.not_before > moment:
        return None
    ahead = or_(JOB.c.lane > row.lane, and_(JOB.c.lane == row.lane, JOB.c.rank < row.rank))
    due = or_(JOB.c.phase != SCHEDULED, JOB.c.not_before <= moment)
    query = select(func.count()).where(JOB.c.status == WAITING, JOB.c.queue == row.queue, ahead, due)
    return int((await conn.execute(query)).scalar_one())


async def unended_of(conn: AsyncConnection, channel_id: str) -> list[Any]:
    """The jobs of an instance that wait or run."""
    return list((await conn.execute(UNENDED_OF, {"channel": channel_id})).all())


async def find_by_key(conn: AsyncConnection, key: str) -> Any | None:
    """The job that was ordered with an idempotency key."""
    return (await conn.execute(select(JOB).where(JOB.c.idempotency_key == key))).one_or_none()


async def delete_ended(conn: AsyncConnection, job_id: str) -> bool:
    """Delete a job that has ended; False for others."""
    ended = (JOB.c.id == job_id, JOB.c.status.in_(ENDED))
    return (await conn.execute(delete(JOB).where(*ended))).rowcount == 1


async def forget_ended(conn: AsyncConnection, earlier: float, limit: int) -> int:
    """Delete jobs that ended before a moment; returns how many. What they made stays."""
    old = select(JOB.c.id).where(JOB.c.status.in_(ENDED), JOB.c.finished_at < earlier).limit(limit)
    return (await conn.execute(delete(JOB).where(JOB.c.id.in_(old)))).rowcount
