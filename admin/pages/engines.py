"""Engine hosts: whose memory is held by what, and the models that can be loaded."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from admin.i18n import N_
from admin.pages.page import back, show
from admin.services import services_of
from admin.sign_in import MayChange, SignedIn
from db.operators import add_audit
from providers.errors import ProviderError
from providers.media.engine import EngineHost
from providers.types import ProviderConfig

router = APIRouter()
ENGINE = "engine"
WITHIN = 5.0
VERBS = ("load", "unload", "pin", "unpin")
STATES = {
    "ready": (N_("in memory"), "ok"), "loading": (N_("loading"), "warn"), "cold": (N_("on disk"), ""),
    "asleep": (N_("asleep"), ""), "absent": (N_("not on this disk"), ""), "failed": (N_("failed"), "bad"),
}  # fmt: skip


@dataclass(slots=True)
class Host:
    """One engine host as it is now; `error` says why it does not answer."""

    id: str
    url: str
    here: bool
    error: str = ""
    memory: dict[str, Any] = field(default_factory=dict)
    models: list[dict[str, Any]] = field(default_factory=list)


@router.get("/engines")
async def engines(request: Request, _: SignedIn) -> Response:
    """Every engine host."""
    configs = await _hosts(request)
    hosts = await asyncio.gather(*(_look(config) for config in configs))
    return await show(request, "engines.html", "engines", hosts=hosts, states=STATES)


@router.post("/engines/{provider_id}/start")
async def start(request: Request, provider_id: str, _: MayChange) -> Response:
    """Have this machine's own host running."""
    await _config(request, provider_id)
    await services_of(request).control.request("start_engine", provider_id=provider_id)
    return back("/engines", "started")


@router.post("/engines/{provider_id}/{verb}/{model:path}")
async def order(request: Request, provider_id: str, verb: str, model: str, person: MayChange) -> Response:
    """Load, unload, pin or unpin a model."""
    config = await _config(request, provider_id)
    if verb not in VERBS or ".." in model.split("/"):
        raise HTTPException(404)
    services = services_of(request)
    async with services.database.transaction() as conn:
        await add_audit(conn, f"{person.name}", f"engine.{verb}", f"{provider_id}:{model}"[:120])
    host = EngineHost(config)
    try:
        await host.call("POST", f"/models/{quote(model, safe='/')}/{verb}", _key(config))
    except ProviderError as error:
        return back("/engines", why=error.message[:200])
    finally:
        await host.close()
    return back("/engines", "saved")


async def _hosts(request: Request) -> list[ProviderConfig]:
    book = await services_of(request).book.current()
    return [config for config in book.providers.values() if config.kind == ENGINE]


async def _config(request: Request, provider_id: str) -> ProviderConfig:
    found = next((one for one in await _hosts(request) if one.id == provider_id), None)
    if found is None:
        raise HTTPException(404)
    return found


async def _look(config: ProviderConfig) -> Host:
    told = Host(config.id, config.base_url.removesuffix("/v1"), bool(config.options.get("here")))
    host = EngineHost(config)
    try:
        async with asyncio.timeout(WITHIN):
            told.memory = await host.call("GET", "/memory", _key(config))
            told.models = (await host.call("GET", "/models", _key(config)))["models"]
    except (ProviderError, TimeoutError, KeyError, TypeError) as error:
        told.error = str(error)[:200] or type(error).__name__
    finally:
        await host.close()
    return told


def _key(config: ProviderConfig) -> str:
    return config.keys[0] if config.keys else ""
