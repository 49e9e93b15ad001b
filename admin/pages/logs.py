"""Logs of an instance or of a part of Botyard, as they are written."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from admin.live import Event, Live, events, json_message, stream
from admin.pages.instances_view import Fleet, fleet, snapshot
from admin.pages.page import show
from admin.services import Services, services_of
from admin.sign_in import SignedIn
from core.fleet.control import ControlError

router = APIRouter()
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
NEWEST = 500
COMPONENTS = ("orchestrator", "web", "forkserver")


@router.get("/logs")
async def logs(request: Request, _: SignedIn, of: str = "orchestrator") -> Response:
    """The page; its lines come by the stream."""
    now = await fleet(request)
    seen = await snapshot(services_of(request))
    components = list((seen or {}).get("components", {})) or list(COMPONENTS)
    source = _source(now, components, of)
    return await show(
        request, "logs.html", "logs",
        instances=now.instances, components=components, of=of, source=source, levels=LEVELS,
    )  # fmt: skip


@router.get("/events/logs/{source}")
async def tail(request: Request, source: str, _: SignedIn) -> Response:
    """The newest lines, then each new one; a reader who comes back goes on after the last."""
    last = request.headers.get("last-event-id", "")
    live: Live = request.app.state.live
    return stream(_tail(live, services_of(request), source, int(last) if last.isdigit() else 0))


async def _tail(live: Live, services: Services, source: str, after: int) -> AsyncIterator[str]:
    def wants(event: Event) -> bool:
        return event.get("topic") == "log" and event.get("channel_id") == source

    lines, after = await _newer(services, source, after)
    yield lines or ": none\n\n"
    async for _event in events(live, wants):
        lines, after = await _newer(services, source, after)
        yield lines or ": ping\n\n"


async def _newer(services: Services, source: str, after: int) -> tuple[str, int]:
    try:
        lines = await services.control.logs(source, after=after, limit=NEWEST)
    except ControlError:
        return "", after
    if not lines:
        return "", after
    last = int(lines[-1].get("id", after))
    return f"id: {last}\n" + json_message("lines", [_shown(line) for line in lines]), last


def _shown(line: dict[str, Any]) -> dict[str, Any]:
    return {"at": line.get("at", 0), "level": line.get("level", ""), "text": line.get("text", "")}


def _source(now: Fleet, components: list[str], of: str) -> str:
    if of in components:
        return of
    return next((one.id for one in now.instances if f"{one.room}/{one.slug}" == of), components[0])
