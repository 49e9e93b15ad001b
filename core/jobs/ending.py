"""The last steps of a job: the files are stored, and one transaction tells everybody."""

import asyncio
import logging
import shutil
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.jobs.answering import answer_chat
from core.jobs.bench import Bench
from core.limits.jobs import settle_job
from core.media.artifacts import Stored, artifact_values, key_base, stamp_of, store_file
from core.media.artifacts_keeping import days_kept, read_keeping
from core.media.files import BadFile
from core.media.moderation import ADULT, judged
from core.media.store import StoreFull, StoreTrouble
from db import artifacts, jobs
from db.base import now
from db.usage import add_usage
from providers.errors import ErrorClass, ProviderError
from providers.media.types import Made, Task

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended: `status` done, failed or cancelled, `reason` a word that people's texts hang on,
    `error` for operators."""

    status: str
    reason: str = ""
    error: str = ""


class _Stopped(Exception):
    """What was made is not kept, whoever made it."""

    def __init__(self, ended: Ended) -> None:
        super().__init__(ended.reason)
        self.ended = ended


async def keep(bench: Bench, job_id: str, attempt: int) -> ProviderError | None:
    """Fetch what was made and put it into the store. Done again after a crash, it writes the same places."""
    row = await bench.job(job_id, attempt)
    if row is None or "made" in row.submit:
        return None
    try:
        model = await bench.model(row.submit)
        made = await model.fetch(row.submit["handle"], bench.folder_of(row))
        if not made.files:
            raise ProviderError(ErrorClass.EMPTY, "nothing was made")
        adult = await _adult(bench, row, made)
        stored = await _stored(bench, row, made)
    except ProviderError as error:
        return error
    except BadFile as error:
        return ProviderError(ErrorClass.EMPTY, f"not what it should be: {error}")
    except _Stopped as stopped:
        await end(bench, row, stopped.ended)
        return None
    result = {"files": [asdict(one) for one in stored], "cost": made.cost, "settings": made.settings}
    submit = {**row.submit, "made": result}
    rating = ADULT if adult else row.rating
    await bench.change(row, submit=submit, phase="saving", fraction=1.0, rating=rating)
    return None


async def _adult(bench: Bench, row: Any, made: Made) -> bool:
    """Whether the moderation service or the model itself says that it is for adults. Raises _Stopped."""
    files = [one.path for one in made.files]
    verdict = await judged(await bench.route_settings(row), "after", facts_of(row), files)
    if not verdict.allow:
        raise _Stopped(Ended(jobs.FAILED, "moderated", "the route's own moderation"))
    return verdict.adult or made.settings.get("rating") == ADULT


async def _stored(bench: Bench, row: Any, made: Made) -> list[Stored]:
    """The files in the store. Raises BadFile or _Stopped."""
    async with bench.database.reading() as conn:
        stamp = stamp_of(row, made.settings, await read_keeping(conn))
    try:
        return [
            await store_file(bench.store, one.path, key_base(row, at), stamp, Task(row.task).makes)
            for at, one in enumerate(made.files)
        ]
    except StoreTrouble as error:
        reason = "full" if isinstance(error, StoreFull) else "store"
        raise _Stopped(Ended(jobs.FAILED, reason, str(error))) from error


def facts_of(row: Any) -> dict[str, Any]:
    """What a moderation service is told of a job."""
    return {
        "job": row.id,
        "task": row.task,
        "prompt": row.request["prompt"],
        "instance": row.channel_id or "",
    }


async def finish(bench: Bench, job_id: str, attempt: int) -> None:
    """Make it known, once: artifacts, the job's end, usage, limits and the message in one transaction."""
    row = await bench.job(job_id, attempt)
    if row is None or "made" not in row.submit:
        return
    made = row.submit["made"]
    cost = made["cost"] if made["cost"] is not None else row.submit.get("price")
    async with bench.database.transaction() as conn:
        if not await jobs.end_job(conn, job_id, attempt, jobs.DONE, cost=cost, fraction=1.0):
            return
        days = await days_kept(conn, row.source)
        for at, one in enumerate(made["files"]):
            values = artifact_values(Stored(**one), row, at, made["settings"], days)
            await artifacts.add_artifact(conn, **values)
        await _account(conn, row, Ended(jobs.DONE), cost, len(made["files"]))
        await answer_chat(conn, row, jobs.DONE, "", await artifacts.artifacts_of(conn, job_id))
    logger.info("job %s is done by %s:%s", job_id, row.provider_id, row.model)
    if scopes := await bench.scopes(row.submit):
        bench.cooldown.succeeded(scopes, bench.cooldown.clock.now())
    await _tidy(bench, row)
    await _told(bench, row)


async def end(bench: Bench, row: Any, ended: Ended, entry: dict[str, Any] | None = None) -> None:
    """End a job that made nothing, once, and tell whoever waits for it."""
    tried = [*row.tried, entry] if entry else list(row.tried)
    async with bench.database.transaction() as conn:
        values = {"reason": ended.reason, "error": ended.error[:2000], "tried": tried}
        if not await jobs.end_job(conn, row.id, row.attempt, ended.status, **values):
            return
        row = await jobs.get_job(conn, row.id)
        await _account(conn, row, ended)
        await answer_chat(conn, row, ended.status, ended.reason, [])
    logger.info("job %s has ended: %s %s", row.id, ended.status, ended.reason)
    await _tidy(bench, row)
    await _told(bench, row)


async def _account(
    conn: AsyncConnection, row: Any, ended: Ended, cost: float | None = None, made: int = 0
) -> None:
    """Usage: a row for each attempt at a model, and what the limits count."""
    moment = now()
    rows = [_usage(row, one, one["error_class"], None) for one in row.tried]
    if row.submit:
        seconds = moment - float(row.submit.get("began", moment))
        outcome = "ok" if ended.status == jobs.DONE else "cancelled"
        rows.append(_usage(row, {**row.submit, "seconds": seconds}, outcome, cost))
    for number, one in enumerate(rows, 1):
        one["attempt"] = number
    if rows:
        await add_usage(conn, rows)
    await settle_job(conn, row, rows, made)


def _usage(row: Any, one: dict[str, Any], outcome: str, cost: float | None) -> dict[str, Any]:
    return {
        "source": row.source, "channel_id": row.channel_id, "user_key": row.user_key or None,
        "key_id": row.key_id or None, "request_id": row.id, "route_id": row.route_id,
        "provider_id": one["provider_id"], "model": one["model"][:200], "outcome": outcome[:16],
        "total_ms": round(float(one["seconds"]) * 1000, 1), "cost": cost,
        "detail": {"task": row.task, **({"error": one["error"]} if one.get("error") else {})},
    }  # fmt: skip


async def _tidy(bench: Bench, row: Any) -> None:
    """Let go of what the provider and the folder still hold; nothing depends on it."""
    if "handle" in row.submit:
        try:
            await (await bench.model(row.submit)).discard(row.submit["handle"])
        except ProviderError as error:
            logger.info("job %s: the provider keeps its files: %s", row.id, error)
    await asyncio.to_thread(shutil.rmtree, bench.folder_of(row), ignore_errors=True)


async def _told(bench: Bench, row: Any) -> None:
    if row.channel_id:
        await bench.wake(row.channel_id)
