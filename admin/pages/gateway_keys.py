"""API keys: who may use the OpenAI-compatible API, and for which routes."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from admin.i18n import language_of
from admin.pages.changes import Page, Values, actor, attempt, configuration_of, many_of, text_of, validated
from admin.pages.limits_view import binding_key
from admin.pages.owned import Owned, add_owned
from admin.pages.page import show
from admin.services import services_of
from admin.sign_in import MustOwn, SignedIn
from core.configuration.errors import Invalid, Problem
from core.gateway_keys import GatewayKey, GatewayKeyInput

router = APIRouter()
SCOPES = ("all", "routes", "some")


@router.get("/keys")
async def keys(request: Request, _: SignedIn) -> Response:
    """All keys, and the form for a new one."""
    return await _keys(request)


@router.post("/keys")
async def add_key(request: Request, person: MustOwn) -> Response:
    """Make a key and show it once."""
    form = await request.form()

    async def change() -> Response:
        new = validated(GatewayKeyInput, _read(form))
        key, made = await services_of(request).gateway_keys.create(actor(person), new)
        return await _keys(request, fresh=key, made=made)

    return await attempt(request, Page("gateway_keys.html", "keys", _context), KEYS.shown(form), change)


async def _keys(request: Request, **more: Any) -> Response:
    context = {**await _context(request), "values": {"scope": "all"}, "errors": {}, **more}
    return await show(request, "gateway_keys.html", "keys", **context)


async def _context(request: Request) -> Values:
    return {
        "rows": await services_of(request).gateway_keys.all(),
        "fresh": "",
        "made": None,
        **await _choices(request),
    }


async def _row_context(request: Request, row: GatewayKey) -> Values:
    return {"row": row, "limits": await binding_key(request, row.id), **await _choices(request)}


async def _choices(request: Request) -> Values:
    t = language_of(request)
    configuration = configuration_of(request)
    routes = [(row.id, row.name) for row in await configuration.routes.all()]
    media = [(row.id, row.name) for row in await configuration.media_routes.all()]
    scopes = (
        ("all", t("All routes, and models by name")),
        ("routes", t("All routes, no models by name")),
        ("some", t("Only the routes below")),
    )
    return {"routes": routes, "media": media, "scopes": scopes, "url": services_of(request).settings.url}


def _read(form: FormData) -> Values:
    scope = text_of(form, "scope")
    chosen = many_of(form, "routes") if scope == "some" else []
    if scope == "some" and not chosen:
        raise Invalid([Problem("routes", "empty")])
    return {
        "name": text_of(form, "name"),
        "routes": chosen,
        "models": scope == "all",
        "expires_at": _end_of(text_of(form, "expires")),
    }


def _end_of(day: str) -> float | None:
    """The end of a day as a browser writes it, UTC."""
    if not day:
        return None
    try:
        date = datetime.strptime(day, "%Y-%m-%d").date()
    except ValueError as error:
        raise Invalid([Problem("expires", "wrong")]) from error
    return (datetime.combine(date, time(), UTC) + timedelta(days=1)).timestamp()


def _fill(row: GatewayKey) -> Values:
    scope = "some" if row.routes else "all" if row.models else "routes"
    day = "" if row.expires_at is None else datetime.fromtimestamp(row.expires_at - 1, UTC).date().isoformat()
    return {
        "name": row.name,
        "scope": scope,
        "routes": list(row.routes),
        "expires": day,
        "enabled": "on" if row.enabled else "",
    }


KEYS = Owned(
    "keys", "gateway_key.html", lambda request: services_of(request).gateway_keys, GatewayKeyInput, _read,
    _fill, _row_context, ("name", "scope", "expires", "enabled"), ("routes",),
)  # fmt: skip
add_owned(router, KEYS)
