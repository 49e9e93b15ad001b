"""Jobs as DBOS workflows: each step is recorded, and what a crash cut short goes on where it was.

The order of waiting jobs is the rows' alone (docs/decisions/0004-the-order-of-jobs-is-rows.md); DBOS gets a
job when it begins, as the workflow `job/attempt`, and keeps its steps. Only the jobs runner imports this.
"""

import logging
from pathlib import Path

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, SetWorkflowID
from sqlalchemy.engine import make_url

from core.jobs.asking import failed, submit, watch
from core.jobs.bench import Bench
from core.jobs.choosing import choose
from core.jobs.ending import finish, keep

VERSION = "1"  # of the workflow below: another number leaves workflows of the old one alone
FILE = "jobs.db"
MOST_ROUNDS = 1000
logger = logging.getLogger(__name__)
_BENCH: list[Bench] = []


def _bench() -> Bench:
    return _BENCH[0]


@DBOS.step(name="begin")
async def _begin(job_id: str, attempt: int) -> str:
    """over: there is nobody left to ask; begun; or next: who was asked refused."""
    if not await choose(_bench(), job_id, attempt):
        return "over"
    return "begun" if await submit(_bench(), job_id, attempt) else "next"


@DBOS.step(name="watch")
async def _watch(job_id: str, attempt: int) -> bool:
    return await watch(_bench(), job_id, attempt)


@DBOS.step(name="finish")
async def _finish(job_id: str, attempt: int) -> bool:
    bench = _bench()
    error = await keep(bench, job_id, attempt)
    if error is None:
        await finish(bench, job_id, attempt)
    elif (row := await bench.job(job_id, attempt)) is not None:
        await failed(bench, row, error)
    return error is None


@DBOS.workflow(name="job")
async def make(job_id: str, attempt: int) -> None:
    """One attempt of a job: candidate after candidate until one has made it, or none is left. Each step can
    be repeated: the job's row says what was begun and what is done."""
    for _ in range(MOST_ROUNDS):
        begun = await _begin(job_id, attempt)
        if begun == "over":
            return
        if begun == "begun" and await _watch(job_id, attempt) and await _finish(job_id, attempt):
            return


def launch(bench: Bench, home: Path, database_url: str, name: str = "runner") -> None:
    """Open DBOS's own rows (a file beside ours, or the same PostgreSQL) and take up what a crash cut short of
    the runner `name`. Call it within the running loop; workflows then run in it."""
    _BENCH[:] = [bench]
    config: DBOSConfig = {
        "name": "botyard",
        "application_version": VERSION,
        "executor_id": name,
        "log_level": "WARNING",
        "enable_otlp": False,
        **_rows(home, database_url),  # type: ignore[typeddict-item]
    }
    DBOS(config=config)
    DBOS.launch()


async def run(job_id: str, attempt: int, life: int) -> None:
    """Run an attempt to its end, or wait for the end of the one that a crash cut short. `life` counts the
    workflows that ended without ending their job."""
    with SetWorkflowID(f"{job_id}/{attempt}" + (f".{life}" if life else "")):
        handle = await DBOS.start_workflow_async(make, job_id, attempt)
    await handle.get_result()


def shut(seconds: int) -> None:
    """Stop; what runs may take so long to end, and is taken up at the next start."""
    DBOS.destroy(workflow_completion_timeout_sec=seconds)
    _BENCH.clear()


def _rows(home: Path, database_url: str) -> dict[str, object]:
    url = make_url(database_url)
    if url.get_backend_name() == "postgresql":
        plain = url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        return {"system_database_url": plain, "dbos_system_schema": "dbos"}
    place = f"sqlite:///{home / FILE}"
    engine = sa.create_engine(place)
    sa.event.listen(engine, "connect", _prepare)
    return {"system_database_url": place, "system_database_engine": engine}


def _prepare(connection: object, _record: object) -> None:
    connection.isolation_level = "IMMEDIATE"  # type: ignore[attr-defined]
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]
