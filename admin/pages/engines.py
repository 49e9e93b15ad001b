"""Engine hosts: whose memory is held by what, the models that can be loaded, and getting more of them."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from admin.i18n import language_of
from admin.pages.changes import actor, changed, text_of
from admin.pages.engine_hosts import ERROR, STOPPED, NoAnswer, ask, tell
from admin.pages.engines_view import DOWNLOADS, FAMILIES, REASONS, Jobs, Room, told
from admin.pages.instances_view import RUNNING as SERVING
from admin.pages.instances_view import snapshot
from admin.pages.page import back, fragment, show
from admin.services import services_of
from admin.sign_in import MayChange, Person, SignedIn
from core.first_studio import add_studio
from core.fleet.control import ControlError
from db.job_lists import Wanted, list_jobs
from db.jobs import RUNNING
from db.operators import add_audit
from db.providers import all_providers
from providers.types import ProviderConfig

router = APIRouter()
ENGINE = "engine"
SOON = 2.5  # seconds in which most orders are done; what takes longer goes on at the host
VERBS = ("load", "unload", "sleep", "pin", "unpin")
LONGEST = 200
NEW, MOVED = "new", "moved"  # nothing could be asked of it yet; it runs, at another port
WORDS = {"downloads": DOWNLOADS, "families": FAMILIES, "reasons": REASONS}


@dataclass(frozen=True, slots=True)
class Telling:
    """What a host is told: the audit's word for it, about which model, repository or family, and the call."""

    verb: str
    target: str
    path: str
    body: Any = None


@router.get("/engines")
async def engines(request: Request, person: SignedIn) -> Response:
    """Every engine host; with `part`, only what changes by itself."""
    if "part" in request.query_params:
        rooms = await _rooms(request)
        return fragment(request, "engines_parts.html", "hosts", rooms, WORDS, person)
    return await _show(request)


@router.post("/engines/here")
async def here(request: Request, person: MayChange) -> Response:
    """Let this machine be an engine host."""
    services = services_of(request)
    try:
        made = await add_studio(services.database, services.control.seal, services.settings.engine_port)
        await services.control.wake("config")
        if made:
            await services.control.request("start_engine", provider_id=made)
            await _audit(request, person, "here", made)
    except ControlError:
        return await _show(request, 422, _unheard(request))
    changed(request)
    return back("/engines", "started")


@router.post("/engines/{provider_id}/start")
async def start(request: Request, provider_id: str, person: MayChange) -> Response:
    """Have this machine's own host running."""
    await _config(request, provider_id)
    try:
        await services_of(request).control.request("start_engine", provider_id=provider_id)
    except ControlError:
        return await _show(request, 422, _unheard(request))
    await _audit(request, person, "start", provider_id)
    return back("/engines", "started")


@router.post("/engines/{provider_id}/downloads")
async def download(request: Request, provider_id: str, person: MayChange) -> Response:
    """Fetch a model from the hub."""
    form = await request.form()
    repo, revision = text_of(form, "repo")[:LONGEST], text_of(form, "revision")[:LONGEST] or "main"
    body = {"repo": _repository(repo), "revision": revision}
    return await _order(request, person, provider_id, Telling("download", repo, "/models/download", body))


@router.post("/engines/{provider_id}/downloads/cancel")
async def stop_download(request: Request, provider_id: str, person: MayChange) -> Response:
    """End a download; what is complete stays."""
    repo = text_of(await request.form(), "repo")[:LONGEST]
    telling = Telling("download.cancel", repo, "/downloads/cancel", {"repo": repo})
    return await _order(request, person, provider_id, telling)


@router.post("/engines/{provider_id}/families/{name}/{what}")
async def family(request: Request, provider_id: str, name: str, what: str, person: MayChange) -> Response:
    """Set a family up, or stop that."""
    if what not in ("install", "cancel"):
        raise HTTPException(404)
    path = f"/families/{quote(name, safe='')}/{what}"
    return await _order(request, person, provider_id, Telling(f"family.{what}", name, path))


@router.post("/engines/{provider_id}/{verb}/{model:path}")
async def order(request: Request, provider_id: str, verb: str, model: str, person: MayChange) -> Response:
    """Load, unload, pin or unpin a model, or put it to sleep."""
    if verb not in VERBS or ".." in model.split("/"):
        raise HTTPException(404)
    path = f"/models/{quote(model, safe='/')}/{verb}"
    return await _order(request, person, provider_id, Telling(verb, model, path))


async def _order(request: Request, person: Person, provider_id: str, telling: Telling) -> Response:
    """Tell a host, and write down what it took."""
    config = await _config(request, provider_id)
    try:
        done = await tell(config, telling.path, telling.body, SOON)
    except NoAnswer as error:
        problem = error.words if error.kind == ERROR else ""
        problem = problem or language_of(request)("The engine host did not take this order.")
        return await _show(request, 422, problem)
    await _audit(request, person, telling.verb, f"{provider_id}:{telling.target}")
    return back("/engines", "saved" if done and telling.verb in ("pin", "unpin") else "told")


async def _show(request: Request, status: int = 200, problem: str = "") -> Response:
    rooms = await _rooms(request)
    return await show(
        request, "engines.html", "engines", status, hosts=rooms, words=WORDS,
        errors={"": problem} if problem else {}, has_here=any(one.here for one in rooms),
        port=services_of(request).settings.engine_port,
    )  # fmt: skip


async def _rooms(request: Request) -> list[Room]:
    services = services_of(request)
    async with services.database.reading() as conn:
        rows = [row for row in await all_providers(conn) if row.kind == ENGINE]
        running = await list_jobs(conn, Wanted(status=RUNNING))
    configs = (await services.book.current()).providers
    seen = await snapshot(services) if any(_is_here(row) for row in rows) else None
    component = ((seen or {}).get("components") or {}).get(ENGINE) or {}

    async def room(row: Any) -> Room:
        doing = {
            one.model: (one.id, one.request.get("prompt", "")) for one in running if one.provider_id == row.id
        }
        return await _room(request, row, configs.get(row.id), component, doing)

    return list(await asyncio.gather(*map(room, rows)))


async def _room(
    request: Request, row: Any, config: ProviderConfig | None, component: dict[str, Any],
    doing: Jobs,
) -> Room:  # fmt: skip
    here, url = _is_here(row), (row.base_url or "").removesuffix("/v1")
    room = Room(row.id, row.name or row.id, url, here, row.enabled)
    if here:
        room = replace(room, state=component.get("state", ""), reason=component.get("reason", ""))
    if not row.enabled:
        return room
    if config is None:
        return replace(room, problem=NEW)
    try:
        return told(room, await ask(config), doing, language_of(request))
    except NoAnswer as error:
        moved = error.kind == STOPPED and room.state in SERVING
        port = str(services_of(request).settings.engine_port)
        return replace(room, problem=MOVED if moved else error.kind, words=port if moved else error.words)


async def _config(request: Request, provider_id: str) -> ProviderConfig:
    found = (await services_of(request).book.current()).providers.get(provider_id)
    if found is None or found.kind != ENGINE:
        raise HTTPException(404)
    return found


async def _audit(request: Request, person: Person, verb: str, target: str) -> None:
    async with services_of(request).database.transaction() as conn:
        await add_audit(conn, actor(person), f"engine.{verb}", target[:120])


def _unheard(request: Request) -> str:
    return language_of(request)("The supervisor does not answer. Try again in a moment.")


def _is_here(row: Any) -> bool:
    return bool((row.config or {}).get("here"))


def _repository(text: str) -> str:
    """OWNER/NAME, also of an address of the hub that was pasted."""
    for beginning in ("https://huggingface.co/", "huggingface.co/", "hf.co/"):
        text = text.removeprefix(beginning)
    return "/".join(text.strip("/").split("/")[:2])
