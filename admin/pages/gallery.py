"""The gallery: what was made, found again, looked at, shared, deleted and made once more."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from admin.i18n import language_of
from admin.media_files import row_of, signer_of, store_of
from admin.pages.changes import Page, Values, actor, attempt, text_of, validated
from admin.pages.gallery_orders import KINDS, CannotOrder, kinds_for, submit_again
from admin.pages.gallery_view import details, tile
from admin.pages.instances_view import fleet
from admin.pages.page import back, fragment, show
from admin.services import services_of
from admin.sign_in import MayChange, SignedIn
from core.configuration.preset_configs import KeepingInput
from core.fleet.control import ControlError
from core.jobs.submit import NotOrdered
from core.media.artifacts_clearing import delete_files
from core.media.artifacts_keeping import Keeping, read_keeping, write_keeping
from core.media.routes import media_routes
from db.artifacts import (
    Wanted,
    children_of,
    delete_artifact,
    find_artifacts,
    get_artifact,
    models_made,
)
from db.jobs import get_job
from db.operators import add_audit

router = APIRouter()
PAGE = 48
MOST_CHILDREN = 12
KEPT = ("chats", "own", "stamp_chats", "stamp_own")
Query = dict[str, str]


@router.get("/gallery")
async def gallery(request: Request, _: SignedIn) -> Response:
    """A page of the gallery; with `part`, only its tiles, for the end of the list to grow."""
    query = {name: value[:200].replace("\0", "").strip() for name, value in request.query_params.items()}
    instances = (await fleet(request)).instances
    wanted = _wanted(query, {f"{one.room}/{one.slug}": one.id for one in instances})
    async with services_of(request).database.reading() as conn:
        rows = await find_artifacts(conn, wanted, PAGE + 1)
        models = await models_made(conn)
    tiles = [tile(row) for row in rows[:PAGE]]
    more = _address(query, rows[PAGE - 1].id) if len(rows) > PAGE else ""
    if "part" in query:
        return fragment(request, "gallery_parts.html", "tiles", tiles, more)
    return await show(
        request, "gallery.html", "gallery", tiles=tiles, more=more, models=models, instances=instances,
        asked={name: query.get(name, "") for name in ("q", "kind", "model", "instance", "since", "until")},
        searching=any(query.get(name) for name in ("q", "kind", "model", "instance", "since", "until")),
    )  # fmt: skip


@router.get("/gallery/settings")
async def settings(request: Request, _: SignedIn) -> Response:
    """For how long what was made is kept."""
    context = await _kept(request)
    return await show(request, "gallery_settings.html", "gallery", errors={}, **context)


@router.post("/gallery/settings")
async def save_settings(request: Request, person: MayChange) -> Response:
    """Change for how long what is made from now on is kept."""
    form = await request.form()
    values: Values = {name: text_of(form, name) for name in ("chats", "own")}
    values |= {name: form.get(name) == "on" for name in ("stamp_chats", "stamp_own")}

    async def change() -> Response:
        config = validated(KeepingInput, values)
        async with services_of(request).database.transaction() as conn:
            await write_keeping(conn, Keeping(**config.model_dump()))
            await add_audit(conn, actor(person), "gallery.settings", "", **config.model_dump())
        return back("/gallery/settings", "saved")

    return await attempt(request, Page("gallery_settings.html", "gallery", _kept), values, change)


@router.get("/gallery/{artifact_id}")
async def artifact(request: Request, artifact_id: str, _: SignedIn) -> Response:
    """One picture or video with everything that is known of it."""
    context = await _context(request, artifact_id)
    return await show(request, "artifact.html", "gallery", errors={}, **context)


@router.post("/gallery/{artifact_id}/delete")
async def delete(request: Request, artifact_id: str, person: MayChange) -> Response:
    """Delete it, its file with it."""
    await row_of(request, artifact_id)
    async with services_of(request).database.transaction() as conn:
        gone = await delete_artifact(conn, artifact_id)
        await add_audit(conn, actor(person), "artifact.delete", artifact_id)
    if gone is not None:
        await delete_files(store_of(request), gone.key, gone.poster)
    return back("/gallery", "deleted")


@router.post("/gallery/{artifact_id}/{kind}")
async def order(request: Request, artifact_id: str, kind: str, person: MayChange) -> Response:
    """Order the same again, variations, or a larger one."""
    if kind not in KINDS:
        raise HTTPException(404)
    await row_of(request, artifact_id)
    t = language_of(request)
    try:
        job_id = await submit_again(services_of(request), artifact_id, kind, t.code)
    except (CannotOrder, NotOrdered):
        problem = t("No media route does this now. Make one, or turn its provider on.")
    except ControlError:
        problem = t("The supervisor does not answer: it waits until it does.")
    else:
        return back(f"/queue/{job_id}", "ordered")
    context = await _context(request, artifact_id)
    return await show(request, "artifact.html", "gallery", 422, errors={"": problem}, **context)


async def _context(request: Request, artifact_id: str) -> Values:
    row = await row_of(request, artifact_id)
    async with services_of(request).database.reading() as conn:
        parent = await get_artifact(conn, row.parent_id) if row.parent_id else None
        children = await children_of(conn, row.id, MOST_CHILDREN)
        kinds = kinds_for(row, await media_routes(conn))
        job = await get_job(conn, row.job_id) if row.job_id else None
    instances = {one.id: one for one in (await fleet(request)).instances}
    signer, t = await signer_of(request), language_of(request)
    return {
        "row": row, "one": tile(row), "kinds": [(kind, t(KINDS[kind])) for kind in kinds],
        "facts": details(row, t), "job": job, "instance": instances.get(row.channel_id),
        "parent": tile(parent) if parent is not None else None, "children": [tile(one) for one in children],
        "link": services_of(request).settings.url + signer.path(row),
    }  # fmt: skip


async def _kept(request: Request) -> Values:
    async with services_of(request).database.reading() as conn:
        keeping = await read_keeping(conn)
    return {"values": {name: getattr(keeping, name) for name in KEPT}}


def _wanted(query: Query, instances: dict[str, str]) -> Wanted:
    kind = query.get("kind", "")
    return Wanted(
        text=query.get("q", ""),
        kind=kind if kind in ("image", "video") else "",
        model=query.get("model", ""),
        channel_id=instances.get(query.get("instance", ""), ""),
        since=_day(query.get("since", "")),
        until=_day(query.get("until", ""), 1),
        older=query.get("older", "")[:36],
    )


def _day(text: str, later: int = 0) -> float | None:
    """The beginning of a day in UTC, or of one some days later; None for what is no date."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        return (day + timedelta(days=later)).timestamp()
    except (ValueError, OverflowError):
        return None


def _address(query: Query, older: str) -> str:
    kept: dict[str, Any] = {name: value for name, value in query.items() if value and name != "part"}
    return "/gallery?" + urlencode({**kept, "older": older})
