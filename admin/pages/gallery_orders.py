"""Ordering more of what was made: the same once more, variations of it, a larger one."""

from dataclasses import replace
from typing import Any

from admin.i18n import N_
from admin.services import Services
from core.jobs.order import Order, Source, Wish
from core.jobs.submit import submit
from core.media.routes import AUTO, IMAGE, Routes, media_routes
from db.artifacts import get_artifact
from db.jobs import get_job
from providers.media.cards import NEEDS
from providers.media.types import Task

KINDS = {"again": N_("Again"), "variations": N_("Variations"), "upscale": N_("Upscale")}
TASKS = {"variations": Task.IMAGE_TO_IMAGE, "upscale": Task.UPSCALE}
STRENGTH = 0.6  # how far a variation may leave its original
PLAIN = ("width", "height", "seconds", "strength", "negative")


class CannotOrder(ValueError):
    """There is nobody to make it, or nothing to make it of."""


def kinds_for(row: Any, routes: Routes) -> list[str]:
    """What can be ordered of an artifact, by the routes that there are."""
    able = {task for route in routes.values() for task in route.tasks}
    pictured = row.mime.startswith("image/") and row.mime != "image/gif"
    further = [kind for kind, task in TASKS.items() if pictured and task in able]
    lost = row.channel_id and row.task in NEEDS and not row.parent_id  # a chat's own picture stays there
    return [*(["again"] if row.task in set(Task) and row.model and not lost else []), *further]


async def submit_again(services: Services, artifact_id: str, kind: str, language: str) -> str:
    """Order it; returns the job's id. Raises CannotOrder, or core.jobs.submit.NotOrdered."""
    async with services.database.reading() as conn:
        row = await get_artifact(conn, artifact_id)
        job = await get_job(conn, row.job_id) if row is not None and row.job_id else None
        routes = await media_routes(conn)
    if row is None or kind not in kinds_for(row, routes):
        raise CannotOrder(kind)
    order = _order(row, job, kind, routes)
    placed = await submit(services.database, replace(order, language=language))
    await services.control.wake("jobs")
    return str(placed.id)


def _order(row: Any, job: Any | None, kind: str, routes: Routes) -> Order:
    """Again asks the same model first; the others ask a route that does such things."""
    if kind == "again":
        wish = _same(row, job)
        makes = wish.task.makes
        route = next((one for one in routes.values() if one.makes == makes and one.candidates), None)
        lines = [row.model, *(job.candidates if job is not None else route.candidates if route else ())]
        local = bool(route and row.model.partition(":")[0] in route.local)
        queue = job.queue if job is not None else "gpu" if local else "cloud"
        return Order(wish, tuple(dict.fromkeys(lines)), "panel", queue=queue)
    task = TASKS[kind]
    route = next(one for one in routes.values() if one.makes == IMAGE and task in one.tasks)
    strength = STRENGTH if kind == "variations" else None
    wish = Wish(task, row.prompt, inputs=(Source(artifact=row.id),), strength=strength)
    return Order(wish, route.candidates or (AUTO,), "panel", route_id=route.id, queue=route.queue)


def _same(row: Any, job: Any | None) -> Wish:
    """The wish that it was made by, with a seed of its own; from what the artifact says where the job is
    forgotten already."""
    if job is not None and job.channel_id is None:
        return replace(Wish.from_json(job.request), seed=None, count=1)
    kept = {name: row.settings[name] for name in PLAIN if name in row.settings}
    params = {name: row.settings[name] for name in ("steps", "guidance") if name in row.settings}
    inputs = (Source(artifact=row.parent_id),) if row.parent_id else ()
    return Wish(Task(row.task), row.prompt, inputs=inputs, params=params, **kept)
