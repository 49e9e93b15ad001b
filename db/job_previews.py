"""The newest small picture of each job that runs."""

from typing import Any, cast

from sqlalchemy import Float, ForeignKey, LargeBinary, Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, now


class JobPreview(Row):
    """The newest small picture of a job that runs; gone when it ends."""

    __tablename__ = "job_preview"

    job_id: Mapped[str] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[float] = mapped_column(Float)


PREVIEW = cast(Table, JobPreview.__table__)


async def keep_preview(conn: AsyncConnection, job_id: str, body: bytes) -> None:
    """Replace a job's preview."""
    values = {"body": body, "made_at": now()}
    if not (await conn.execute(update(PREVIEW).where(PREVIEW.c.job_id == job_id).values(**values))).rowcount:
        await conn.execute(insert(PREVIEW).values(job_id=job_id, **values))


async def get_preview(conn: AsyncConnection, job_id: str) -> Any | None:
    """A job's preview: body, made_at."""
    return (await conn.execute(select(PREVIEW).where(PREVIEW.c.job_id == job_id))).one_or_none()
