"""Jobs looked for: for people in the order in which they come, for programs newest first."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from db.jobs import ENDED, JOB, RUNNING, WAITING


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which jobs are looked for; "" is any. `key_id` None: everybody's; `makes` is image or video; `older` is
    the last id of the page before."""

    key_id: str | None = None
    status: str = ""
    source: str = ""
    makes: str = ""
    channel_id: str = ""
    older: str = ""


ANY = Wanted()


async def list_jobs(conn: AsyncConnection, wanted: Wanted = ANY, limit: int = 50) -> list[Any]:
    """Jobs for people: running first, then waiting in their order, then ended ones, newest first.
    `older` is the last ended job of the page before."""
    query = _matching(wanted)
    if wanted.older:
        mark = select(JOB.c.created_at).where(JOB.c.id == wanted.older).scalar_subquery()
        query = query.where(JOB.c.status.in_(ENDED), JOB.c.created_at < mark)
    kind = case((JOB.c.status == RUNNING, 0), (JOB.c.status == WAITING, 1), else_=2)
    lane = case((JOB.c.status == WAITING, -JOB.c.lane), else_=0)
    rank = case((JOB.c.status == WAITING, JOB.c.rank), else_=0.0)
    query = query.order_by(kind, lane, rank, JOB.c.created_at.desc(), JOB.c.id).limit(limit)
    return list((await conn.execute(query)).all())


async def find_jobs(conn: AsyncConnection, wanted: Wanted, limit: int) -> list[Any]:
    """Jobs for programs: newest first, page after page."""
    query = _matching(wanted)
    if wanted.older:
        query = query.where(JOB.c.id < wanted.older)
    return list((await conn.execute(query.order_by(JOB.c.id.desc()).limit(limit))).all())


async def count_jobs(conn: AsyncConnection) -> dict[str, int]:
    """How many jobs there are of each status."""
    rows = await conn.execute(select(JOB.c.status, func.count()).group_by(JOB.c.status))
    return {str(status): int(count) for status, count in rows}


def _matching(wanted: Wanted) -> Select[Any]:
    found: list[ColumnElement[bool]] = []
    if wanted.key_id is not None:
        found.append(JOB.c.key_id == wanted.key_id)
    for name in ("status", "source", "channel_id"):
        if value := getattr(wanted, name):
            found.append(JOB.c[name] == value)
    if wanted.makes:
        films = JOB.c.task.endswith("_video", autoescape=True)
        found.append(films if wanted.makes == "video" else ~films)
    return select(JOB).where(*found)
