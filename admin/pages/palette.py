"""The palette: jump to a room or a thing by a few letters."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from admin.i18n import language_of
from admin.pages.changes import configuration_of
from admin.pages.instances_view import fleet
from admin.pages.page import NAVIGATION, fragment
from admin.sign_in import SignedIn

router = APIRouter()
MOST = 12


@dataclass(frozen=True, slots=True)
class Hit:
    """Something to jump to."""

    title: str
    url: str
    icon: str
    kind: str


@router.get("/palette")
async def palette(request: Request, _: SignedIn, q: str = "") -> Response:
    """What fits the letters, rooms first."""
    t = language_of(request)
    hits = [
        Hit(t(room.title), room.url, room.icon, t(group)) for group, rooms in NAVIGATION for room in rooms
    ]
    wanted = q.strip().casefold()[:100]
    if wanted:
        hits += await _things(request)
        hits = [hit for hit in hits if wanted in f"{hit.title} {hit.url}".casefold()]
    return fragment(request, "palette.html", "found", hits[:MOST])


async def _things(request: Request) -> list[Hit]:
    t = language_of(request)
    configuration = configuration_of(request)
    icons = {"bots": "send", "widgets": "app-window"}
    titles = {"bots": t("Bots"), "widgets": t("Widgets")}
    found = [
        Hit(one.name, one.url, icons[one.room], titles[one.room]) for one in (await fleet(request)).instances
    ]
    for rows, url, icon, kind in (
        (await configuration.providers.all(), "/providers/", "plug", t("Providers")),
        (await configuration.routes.all(), "/routes/", "route", t("Routes")),
        (await configuration.characters.all(), "/characters/", "drama", t("Characters")),
        (await configuration.bases.all(), "/bases/", "brain-circuit", t("Knowledge bases")),
    ):
        found += [Hit(row.name or row.id, url + row.id, icon, kind) for row in rows]
    return found
