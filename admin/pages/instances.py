"""Bots and widgets: lists, forms, and starting and stopping."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import Response

from admin.i18n import language_of
from admin.live import Event, Live, message, partial, repainted, stream
from admin.pages.changes import Values, actor, changed, configuration_of, errors_of, many_of, texts_of
from admin.pages.crud import Crud, add_forms
from admin.pages.instances_view import InstanceView, fleet
from admin.pages.page import DONE, back, show, templates_of
from admin.services import services_of
from admin.sign_in import MayChange, SignedIn
from core.configuration.configs import BotConfig, NewBot, NewWidget, WidgetConfig
from core.configuration.errors import ConfigurationError, NotFound
from core.fleet.control import ControlError
from db.inbox import dead_updates
from db.outbox import dead_outbound

router = APIRouter()
SHARED = ("name", "route", "character", "image_route", "video_route")
TOPICS = ("state", "config", "conversation")
ROOMS = ("bots", "widgets")
MOST_DEAD = 20
ACTIONS = {"start": "started", "stop": "stopped", "restart": "restarted"}


async def choices(request: Request) -> Values:
    """What an instance may refer to."""
    configuration = configuration_of(request)
    return {
        "routes": await configuration.routes.all(),
        "characters": await configuration.characters.all(),
        "bases": await configuration.bases.all(),
        "media_routes": await configuration.media_routes.all(),
        "url": services_of(request).settings.url,
    }


async def observed(request: Request, row: Any) -> Values:
    """What the orchestrator sees of an instance, and what was set aside."""
    async with services_of(request).database.reading() as conn:
        unread = await dead_updates(conn, row.channel_id, MOST_DEAD)
        unsent = await dead_outbound(conn, row.channel_id, MOST_DEAD)
    return {"view": await one(request, row.channel_id), "unread": unread, "unsent": unsent}


async def one(request: Request, channel_id: str) -> InstanceView:
    """One instance as pages show it, or 404."""
    for view in (await fleet(request)).instances:
        if view.id == channel_id:
            return view
    raise HTTPException(404)


def _read_bot(form: FormData) -> Values:
    return {**texts_of(form, *SHARED, "token", "api_base"), "bases": many_of(form, "bases")}


def _read_widget(form: FormData) -> Values:
    values = texts_of(form, *SHARED, "title", "color")
    return {**values, "bases": many_of(form, "bases"), "origins": many_of(form, "origins")}


def _media(row: Any) -> Values:
    return {"image_route": row.image_route or "", "video_route": row.video_route or ""}


def _fill_bot(row: Any) -> Values:
    return {"name": row.name, "route": row.route, "character": row.character, "bases": row.bases,
            "api_base": row.api_base or "", **_media(row)}  # fmt: skip


def _fill_widget(row: Any) -> Values:
    return {"name": row.name, "route": row.route, "character": row.character, "bases": row.bases,
            "title": row.title, "color": row.color or "", "origins": "\n".join(row.origins),
            **_media(row)}  # fmt: skip


BOTS = Crud("bots", "bot.html", lambda c: c.bots, NewBot, BotConfig, _read_bot, _fill_bot, choices, observed)
WIDGETS = Crud(
    "widgets", "widget.html", lambda c: c.widgets, NewWidget, WidgetConfig, _read_widget, _fill_widget,
    choices, observed,
)  # fmt: skip


def _add_list(crud: Crud) -> None:
    @router.get(f"/{crud.room}")
    async def instances(request: Request, _: SignedIn) -> Response:
        now = await fleet(request)
        return await show(request, f"{crud.room}.html", crud.room, instances=now.of(crud.room), fleet=now)

    for action in ACTIONS:
        _add_action(crud, action)


def _add_action(crud: Crud, action: str) -> None:
    @router.post(f"/{crud.room}/{{slug}}/{action}")
    async def act(request: Request, slug: str, person: MayChange) -> Response:
        channels = crud.entity(configuration_of(request))
        try:
            if action == "restart":
                row = await channels.get(slug)
                await services_of(request).control.restart(row.channel_id)
            else:
                await getattr(channels, action)(actor(person), slug)
        except NotFound as error:
            raise HTTPException(404) from error
        except (ConfigurationError, ControlError) as error:
            text = errors_of(error, language_of(request).code, request).get("", str(error))
            return _said(request, text, "bad")
        changed(request)
        if request.headers.get("hx-request"):
            return _said(request, language_of(request)(DONE[ACTIONS[action]]), "ok")
        return back(f"/{crud.room}/{slug}", ACTIONS[action])


def _said(request: Request, text: str, kind: str) -> Response:
    if request.headers.get("hx-request"):
        event = json.dumps({"toast": {"text": text, "kind": kind}})
        return Response(status_code=204, headers={"hx-trigger": event})
    return Response(text, 409 if kind == "bad" else 200, media_type="text/plain")


for _crud in (BOTS, WIDGETS):
    _add_list(_crud)
    add_forms(router, _crud)


@router.get("/events/instances/{room}")
async def list_events(request: Request, room: str, person: SignedIn) -> Response:
    """The rows of a list, again whenever they change."""
    if room not in ROOMS:
        raise HTTPException(404)

    async def paint() -> str:
        now = await fleet(request)
        rows = _part(request, "table", now.of(room), person)
        return message(partial("#fleet", rows))

    return _repainted(request, paint)


@router.get("/events/instance/{channel_id}")
async def one_events(request: Request, channel_id: str, person: SignedIn) -> Response:
    """One instance's state, again whenever it changes."""
    await one(request, channel_id)

    async def paint() -> str:
        try:
            view = await one(request, channel_id)
        except HTTPException:
            return ""  # deleted: the page stays as it is
        return message(partial("#state", _part(request, "state_card", view, person)))

    return _repainted(request, paint)


def _part(request: Request, macro: str, *arguments: object) -> str:
    language = language_of(request).code
    return templates_of(request).fragment(language, "instance_parts.html", macro, *arguments)


def _repainted(request: Request, paint: Callable[[], Awaitable[str]]) -> Response:
    live: Live = request.app.state.live
    return stream(repainted(live, _wanted, paint, idle=2.0))


def _wanted(event: Event) -> bool:
    return event.get("topic") in TOPICS
