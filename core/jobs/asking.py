"""Asking the chosen model: the submit, which may cost money, and watching until the work is done."""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from core.jobs.bench import Bench
from core.jobs.candidates import Candidate
from core.jobs.choosing import chosen
from core.jobs.ending import Ended, end
from core.jobs.inputs import InputLost
from core.routing.resting import Failure
from db import job_previews, jobs
from db.base import now
from providers.errors import ErrorClass, ProviderError
from providers.media.cards import BadMediaRequest
from providers.media.lost import answer_lost
from providers.media.types import EngineDied, Handle, MediaModel, Progress, Repeat

LOOK_EVERY = 0.5  # seconds between looks at a wish to cancel, and between writes of progress
ASK_AGAIN = (0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 30.0, 30.0, 60.0, 60.0, 60.0)
SUBMIT_AGAIN = (0.5, 1.0, 2.0)
MOST_KILLS = 2
PASSING = (ErrorClass.CONNECT, ErrorClass.TRANSIENT)
logger = logging.getLogger(__name__)


async def submit(bench: Bench, job_id: str, attempt: int) -> bool:
    """Begin at the chosen model, once; False when it did not begin and the next one is to be chosen."""
    row = await bench.job(job_id, attempt)
    if row is None or not row.submit:
        return False
    if "handle" in row.submit:
        return True
    try:
        candidate = await chosen(bench, row)
        if candidate is None:
            raise ProviderError(ErrorClass.CALLER, "the model or its key was removed")
        model = await bench.model(row.submit)
        handle = await _patiently(bench, row, model, candidate)
    except (BadMediaRequest, InputLost) as error:
        await end(bench, row, Ended(jobs.FAILED, "request", str(error)))
        return False
    except ProviderError as error:
        await failed(bench, row, error, lost=answer_lost(error))
        return False
    return await bench.change(row, submit={**row.submit, "handle": handle}, phase="running")


async def _patiently(bench: Bench, row: Any, model: MediaModel, candidate: Candidate) -> Handle:
    """Begin; where a repeated submit does no harm, a lost answer or a restarting server is waited for."""
    tries = SUBMIT_AGAIN if model.repeat is not Repeat.NEVER else ()
    for pause in tries:
        try:
            return await _begin(bench, row, model, candidate)
        except ProviderError as error:
            if error.error_class not in PASSING and not answer_lost(error):
                raise
            logger.info("job %s: not begun, again in %.1f s: %s", row.id, pause, error)
        await asyncio.sleep(pause)
        row = await bench.job(row.id, row.attempt) or row
    return await _begin(bench, row, model, candidate)


async def _begin(bench: Bench, row: Any, model: MediaModel, candidate: Candidate) -> Handle:
    """The handle. Raises ProviderError, an unanswered one when nobody can tell whether an earlier life has
    begun already."""
    key = row.submit["key"]
    if row.submit.get("asked"):
        if model.repeat is Repeat.NEVER:
            raise ProviderError(ErrorClass.TRANSIENT, "the answer to a paid request was lost")
        if model.repeat is Repeat.FIND and (known := await model.find(key)) is not None:
            return known
    # From here on a crash must find this note: what may have been paid for is not asked for again.
    if not await bench.change(row, submit={**row.submit, "asked": True}):
        raise ProviderError(ErrorClass.CALLER, "the job has ended meanwhile")
    return await model.submit(candidate.request, key, bench.folder_of(row))


@dataclass(slots=True)
class _Seen:
    """The newest progress that is not written yet."""

    progress: Progress | None = None
    preview: bytes | None = field(default=None, repr=False)

    def take(self, progress: Progress) -> None:
        self.progress = progress
        self.preview = progress.preview or self.preview


async def watch(bench: Bench, job_id: str, attempt: int) -> bool:
    """Follow the work to its end, writing progress; False when it failed or was cancelled."""
    row = await bench.job(job_id, attempt)
    if row is None or "handle" not in row.submit:
        return False
    seen = _Seen()
    following: asyncio.Task[None] | None = None
    try:
        model = await bench.model(row.submit)
        following = asyncio.create_task(_follow(bench, row, model, seen))
        while not following.done():
            await asyncio.wait({following}, timeout=LOOK_EVERY)
            if await _note(bench, row, seen):
                return await _cancelled(bench, row, model)
        following.result()
    except ProviderError as error:
        await failed(bench, row, error)
        return False
    finally:
        if following is not None:
            following.cancel()
            with suppress(asyncio.CancelledError, ProviderError):
                await following
    return True


async def _follow(bench: Bench, row: Any, model: MediaModel, seen: _Seen) -> None:
    """Watch; when asking fails, ask again, longer and longer. Raises ProviderError at the end."""
    handle = row.submit["handle"]
    misses = 0
    while True:
        try:
            async for progress in model.watch(handle):
                misses = 0
                seen.take(progress)
            return
        except EngineDied:
            raise
        except ProviderError as error:
            if error.error_class not in PASSING or misses >= len(ASK_AGAIN):
                raise
            logger.info("job %s: asking failed, again in %.1f s: %s", row.id, ASK_AGAIN[misses], error)
        await asyncio.sleep(ASK_AGAIN[misses])
        misses += 1
        if model.repeat is Repeat.KEY:  # whoever forgot the job is told again; whoever has it says so
            handle = await _again(bench, row, model, handle)


async def _again(bench: Bench, row: Any, model: MediaModel, handle: Handle) -> Handle:
    try:
        candidate = await chosen(bench, row)
        if candidate is None:
            return handle
        renewed = await model.submit(candidate.request, row.submit["key"], bench.folder_of(row))
    except (ProviderError, BadMediaRequest, InputLost) as error:
        logger.info("job %s: not submitted again: %s", row.id, error)
        return handle
    if renewed != handle:
        await bench.change(row, submit={**row.submit, "handle": renewed})
    return renewed


async def _note(bench: Bench, row: Any, seen: _Seen) -> bool:
    """Write what was seen; True when somebody wants the job cancelled, or it is no longer ours."""
    progress, preview = seen.progress, seen.preview
    seen.progress = seen.preview = None
    if progress is None:
        current = await bench.job(row.id, row.attempt)
        return current is None or bool(current.cancel)
    async with bench.database.transaction(durable=False) as conn:
        ours = await jobs.change_job(
            conn, row.id, row.attempt, phase=progress.phase, fraction=progress.fraction, step=progress.step,
            steps=progress.steps, position=progress.position, eta=progress.eta,
        )  # fmt: skip
        if ours and preview is not None:
            await job_previews.keep_preview(conn, row.id, preview)
        current = await jobs.get_job(conn, row.id)
    return not ours or current is None or bool(current.cancel)


async def _cancelled(bench: Bench, row: Any, model: MediaModel) -> bool:
    try:
        await model.cancel(row.submit["handle"])
    except ProviderError as error:
        logger.info("job %s: the provider did not cancel: %s", row.id, error)
    await end(bench, row, Ended(jobs.CANCELLED, "cancelled"))
    return False


async def failed(bench: Bench, row: Any, error: ProviderError, *, lost: bool = False) -> None:
    """Learn from a failure: who failed rests, and this job asks it no more. A `lost` answer may have been
    paid for: that candidate is never asked again for this job, whatever passes."""
    begun = row.submit
    logger.warning("job %s: %s:%s: %s", row.id, begun["provider_id"], begun["model"], error)
    kills = row.engine_kills + isinstance(error, EngineDied)
    entry = {
        "provider_id": begun["provider_id"], "model": begun["model"], "key_number": begun["key_number"],
        "error_class": str(error.error_class), "error": error.message[:500],
        "seconds": round(now() - begun["began"], 3), "over": isinstance(error, EngineDied),
        "lost": lost and "handle" not in begun,
    }  # fmt: skip
    await _learn(bench, row, error)
    if kills >= MOST_KILLS:
        await end(bench, row, Ended(jobs.FAILED, "quarantined", error.message), entry)
        return
    await bench.change(row, submit={}, tried=[*row.tried, entry], engine_kills=kills, fraction=None)


async def _learn(bench: Bench, row: Any, error: ProviderError) -> None:
    if isinstance(error, EngineDied):
        return  # the host has a breaker of its own for what keeps dying
    scopes = await bench.scopes(row.submit)
    scope = scopes.of(error.error_class) if scopes else None
    if scope is not None:
        failure = Failure(
            error.error_class, bench.cooldown.clock.now(), error.retry_after, jitter=bench.cooldown.jitter()
        )
        bench.cooldown.failed(scope, failure)
