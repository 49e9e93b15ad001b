"""Media routes: who makes pictures and videos, in order."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from admin.pages.changes import Values, configuration_of, many_of, texts_of
from admin.pages.crud import Crud, add_forms
from admin.pages.page import show
from admin.services import services_of
from admin.sign_in import SignedIn
from core.configuration.media_routes import MediaRouteInput, NewMediaRoute
from providers.errors import ProviderError
from providers.media.offers import cards_of
from providers.media.registry import makes_media

router = APIRouter()


async def _context(request: Request) -> Values:
    """What a route may name: for the suggestions under the field."""
    names = ["auto"]
    for config in (await services_of(request).book.current()).providers.values():
        if not makes_media(config.kind):
            continue
        names.append(f"{config.id}:auto")
        try:
            names += [f"{config.id}:{card.name}" for card in await cards_of(config)]
        except ProviderError:
            continue  # an engine host that is not running now
    return {"names": names}


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
    _fill, _context,
)  # fmt: skip


@router.get("/media-routes")
async def media_routes(request: Request, _: SignedIn) -> Response:
    """All media routes."""
    rows = await configuration_of(request).media_routes.all()
    return await show(request, "media_routes.html", "media-routes", rows=rows)


add_forms(router, MEDIA_ROUTES)
