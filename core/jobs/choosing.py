"""The first step of a job, and again after each failure: who is asked."""

from collections.abc import Iterable, Sequence
from typing import Any

from core.jobs.bench import Bench
from core.jobs.candidates import Candidate, Candidates, candidates_for
from core.jobs.ending import Ended, end, facts_of
from core.jobs.inputs import InputLost, input_files
from core.jobs.order import Wish
from core.media.moderation import ADULT, blocked, judged
from db import jobs
from db.base import now
from providers.errors import ErrorClass
from providers.media.cards import BadMediaRequest

FUTILE = (ErrorClass.CONTENT, ErrorClass.CALLER, ErrorClass.CONTEXT)
PASSING = (
    ErrorClass.RATE_LIMIT, ErrorClass.OVERLOAD, ErrorClass.CONNECT, ErrorClass.TRANSIENT, ErrorClass.TIMEOUT,
)  # fmt: skip
LEAST_WAIT = 1.0  # seconds
LONGEST_WAIT = 30.0
MOST_WAITS = 10  # attempts; who asks for a picture does not wait for ever
TRIED_BY_OTHERS = 5.0  # seconds until a candidate that somebody else is trying is looked at again


async def choose(bench: Bench, job_id: str, attempt: int) -> bool:
    """Write into the row who is asked next; False when the job has ended, or waits again."""
    row = await bench.job(job_id, attempt)
    if row is None:
        return False
    if row.cancel:
        await end(bench, row, Ended(jobs.CANCELLED, "cancelled"))
        return False
    if row.submit:
        return True  # begun in an earlier life
    settings = await bench.route_settings(row)
    verdict = await judged(settings, "before", facts_of(row))
    if blocked(row.request["prompt"], settings) or not verdict.allow:
        await end(bench, row, Ended(jobs.FAILED, "moderated", "the route's own moderation"))
        return False
    try:
        found = await _candidates(bench, row, row.candidates)
    except (BadMediaRequest, InputLost) as error:
        await end(bench, row, Ended(jobs.FAILED, "request", str(error)))
        return False
    chosen, wait = await _first(bench, found, row.tried)
    if chosen is None:
        await _nobody(bench, row, found, wait)
        return False
    begun = {
        "key": f"{row.id}-{attempt}-{len(row.tried) + 1}", "provider_id": chosen.config.id,
        "model": chosen.model, "key_number": chosen.key_number, "price": chosen.price, "began": now(),
    }  # fmt: skip
    shown = {"provider_id": chosen.config.id, "model": chosen.model, "phase": "waiting", "fraction": None}
    if verdict.adult:
        shown["rating"] = ADULT
    return await bench.change(row, submit=begun, **shown)


async def chosen(bench: Bench, row: Any) -> Candidate | None:
    """Whom the row names, with the request as it is asked; None when that is not to be had any more.
    Raises BadMediaRequest or InputLost."""
    begun = row.submit
    found = await _candidates(bench, row, [f"{begun['provider_id']}:{begun['model']}"])
    return next((one for one in found.eligible if one.key_number == begun["key_number"]), None)


async def _candidates(bench: Bench, row: Any, lines: Sequence[str]) -> Candidates:
    wish = Wish.from_json(row.request)
    request = wish.request(await input_files(bench, row, wish.inputs))
    prepare = await bench.presets.preparing(wish)
    return await candidates_for(lines, (await bench.book.current()).providers, request, prepare)


async def _first(
    bench: Bench, found: Candidates, tried: Iterable[dict[str, Any]]
) -> tuple[Candidate | None, float | None]:
    """The first that neither failed in this job nor rests; else the seconds until one may be asked that
    rests, or that failed in a way that passes."""
    await bench.cooldown.refresh()
    failed = {
        (one["provider_id"], one["model"], one["key_number"]): "" if one.get("lost") else one["error_class"]
        for one in tried
        if not one.get("over")
    }
    waits: list[float] = []
    for one in found.eligible:
        left = bench.cooldown.left(one.scopes)
        if one.place in failed:
            if failed[one.place] in PASSING:
                waits.append(max(left, LEAST_WAIT))
            continue
        if not left:
            if await bench.cooldown.lease(one.scopes) is not None:
                return one, None
            left = TRIED_BY_OTHERS
        waits.append(left)
    return None, min(waits, default=None)


async def _nobody(bench: Bench, row: Any, found: Candidates, wait: float | None) -> None:
    """Wait for whoever rests, or give the job up and say why."""
    if wait is None and found.silent and not found.eligible:
        wait = min(LEAST_WAIT * 2 ** min(row.attempt, 5), LONGEST_WAIT)  # whoever is silent is being started
    if wait is not None and row.attempt < MOST_WAITS and now() + wait < row.expires_at:
        tried = [{**one, "over": one["error_class"] in PASSING and not one.get("lost")} for one in row.tried]
        async with bench.database.transaction() as conn:
            await jobs.wait_again(conn, row, tried, now() + wait)
        return
    bad = next((one for one in found.refused.values() if isinstance(one, BadMediaRequest)), None)
    classes = [one["error_class"] for one in row.tried]
    if bad is not None and not row.tried:
        ended = Ended(jobs.FAILED, "request", str(bad))
    elif any(one.get("lost") for one in row.tried):
        ended = Ended(jobs.FAILED, "lost", "the answer to a paid request was lost")
    elif any(one == ErrorClass.CONTENT for one in classes):
        ended = Ended(jobs.FAILED, "moderated", row.tried[-1]["error"])
    elif classes and all(one in FUTILE for one in classes):
        ended = Ended(jobs.FAILED, "request", row.tried[-1]["error"])
    elif not found.eligible:
        why = "; ".join(f"{name}: {reason}" for name, reason in found.refused.items())
        ended = Ended(jobs.FAILED, "no_route", why)
    else:
        ended = Ended(jobs.FAILED, "unavailable", row.tried[-1]["error"] if row.tried else "everything rests")
    await end(bench, row, ended)
