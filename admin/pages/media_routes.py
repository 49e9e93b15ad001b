"""Media routes: who makes pictures and videos, in order."""

import asyncio
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from admin.gateway.images_names import known_cards
from admin.i18n import N_, Language, language_of
from admin.pages.changes import Values, configuration_of, many_of, texts_of
from admin.pages.crud import Crud, add_forms
from admin.pages.page import show
from admin.services import services_of
from admin.sign_in import SignedIn
from core.configuration.media_routes import MediaRouteInput, NewMediaRoute
from core.media.routes import AUTO
from providers.media.cards import Card
from providers.media.registry import makes_media

router = APIRouter()
MOST_NEAR = 4
NONE_OF = {"image": N_("It makes no pictures."), "video": N_("It makes no videos.")}


@dataclass(frozen=True, slots=True)
class Doubt:
    """A line of a route by which nothing will be made: why, and which names are near."""

    line: str
    words: str
    near: tuple[str, ...] = ()


async def _offered(request: Request) -> dict[str, tuple[Card, ...]]:
    """The models of each provider that is on; none of one that does not say now what it has."""
    book = await services_of(request).book.current()
    configs = [one for one in book.providers.values() if makes_media(one.kind)]
    found = await asyncio.gather(*map(known_cards, configs))
    return {config.id: cards for config, cards in zip(configs, found, strict=True)}


async def _context(request: Request) -> Values:
    """What a route may name: for the suggestions under the field."""
    names = ["auto"]
    for provider, cards in (await _offered(request)).items():
        names += [f"{provider}:auto", *(f"{provider}:{card.name}" for card in cards)]
    return {"names": names, "doubts": []}


async def _doubts(request: Request, row: Any) -> Values:
    """The lines of a route that will make nothing."""
    offered, t = await _offered(request), language_of(request)
    found = [_doubt(line, row.makes, offered, t) for line in row.candidates if line != AUTO]
    return {"doubts": [one for one in found if one is not None]}


def _doubt(line: str, makes: str, offered: Mapping[str, tuple[Card, ...]], t: Language) -> Doubt | None:
    provider, _, model = line.partition(":")
    if provider not in offered:
        return Doubt(line, t("This provider is switched off."))
    cards = offered[provider]
    fitting = [card.name for card in cards if any(task.makes == makes for task in card.tasks)]
    if not cards or (model == AUTO and fitting) or model in fitting:
        return None
    near = tuple(f"{provider}:{name}" for name in _nearest(model, fitting))
    if model == AUTO or model in (card.name for card in cards):
        return Doubt(line, t(NONE_OF[makes]), near)
    return Doubt(line, t("This provider does not name such a model."), near)


def _nearest(model: str, names: list[str]) -> list[str]:
    """The names that are most like one, else the first ones."""
    return difflib.get_close_matches(model, names, n=MOST_NEAR, cutoff=0.5) or names[:MOST_NEAR]


def _read(form: FormData) -> Values:
    given = {
        name: value for name, value in texts_of(form, "name", "makes", "moderation_url").items() if value
    }
    return {
        **given,
        "candidates": many_of(form, "candidates"),
        "blocked_words": many_of(form, "blocked_words"),
    }


def _fill(row: Any) -> Values:
    return {
        "name": row.name, "makes": row.makes, "moderation_url": row.moderation_url or "",
        "candidates": "\n".join(row.candidates), "blocked_words": "\n".join(row.blocked_words),
    }  # fmt: skip


MEDIA_ROUTES = Crud(
    "media-routes", "media_route.html", lambda c: c.media_routes, NewMediaRoute, MediaRouteInput, _read,
    _fill, _context, _doubts,
)  # fmt: skip


@router.get("/media-routes")
async def media_routes(request: Request, _: SignedIn) -> Response:
    """All media routes."""
    rows = await configuration_of(request).media_routes.all()
    return await show(request, "media_routes.html", "media-routes", rows=rows)


add_forms(router, MEDIA_ROUTES)
