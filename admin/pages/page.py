"""What every page has: its reader, the frame around it, and the way back with a word of success."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from admin.i18n import N_, language_of
from admin.security import keeps_secure_cookies, page_headers
from admin.services import services_of
from admin.sign_in import Person
from admin.templating import Templates
from core.configuration.channels import WIDGET
from db.dashboard import channel_counts

VERSION = "0.1"
RUNNING = ("READY", "DEGRADED")


@dataclass(frozen=True, slots=True)
class Room:
    """A place in the navigation."""

    key: str
    title: str
    icon: str
    url: str


NAVIGATION: tuple[tuple[str, tuple[Room, ...]], ...] = (
    (
        N_("Monitor"),
        (
            Room("dashboard", N_("Dashboard"), "layout-dashboard", "/"),
            Room("conversations", N_("Conversations"), "messages-square", "/conversations"),
            Room("usage", N_("Usage"), "activity", "/usage"),
            Room("limits", N_("Limits"), "sliders-horizontal", "/limits"),
            Room("logs", N_("Logs"), "scroll-text", "/logs"),
            Room("audit", N_("Audit"), "book-open", "/audit"),
        ),
    ),
    (
        N_("Channels"),
        (
            Room("bots", N_("Bots"), "send", "/bots"),
            Room("widgets", N_("Widgets"), "app-window", "/widgets"),
        ),
    ),
    (
        N_("AI"),
        (
            Room("providers", N_("Providers"), "plug", "/providers"),
            Room("models", N_("Models"), "server", "/models"),
            Room("routes", N_("Routes"), "route", "/routes"),
            Room("characters", N_("Characters"), "drama", "/characters"),
            Room("bases", N_("Knowledge bases"), "brain-circuit", "/bases"),
            Room("playground", N_("Playground"), "flask-conical", "/playground"),
            Room("compare", N_("Compare"), "zap", "/compare"),
        ),
    ),
    (
        N_("Media"),
        (
            Room("queue", N_("Media queue"), "clock", "/queue"),
            Room("gallery", N_("Gallery"), "images", "/gallery"),
            Room("media-routes", N_("Media routes"), "route", "/media-routes"),
            Room("presets", N_("Presets"), "swatch-book", "/presets"),
            Room("engines", N_("Engines"), "server", "/engines"),
        ),
    ),
    (
        N_("System"),
        (
            Room("people", N_("People"), "users", "/people"),
            Room("keys", N_("API keys"), "lock", "/keys"),
            Room("tokens", N_("API tokens"), "key-round", "/tokens"),
        ),
    ),
)

ROLES = {"owner": N_("Owner"), "operator": N_("Operator"), "viewer": N_("Viewer")}

DONE = {
    "created": N_("Created."),
    "saved": N_("Saved."),
    "deleted": N_("Deleted."),
    "sent": N_("On its way."),
    "uploaded": N_("The document was read and can be searched."),
    "started": N_("Starting."),
    "stopped": N_("Stopping."),
    "restarted": N_("Restarting."),
    "first": N_("It is the next one now."),
    "late": N_("Too late: its state has changed meanwhile."),
    "told": N_("The engine host is at it."),
    "ordered": N_("Ordered: it will be here as soon as it is made."),
    "ready": N_("Welcome. The panel is yours."),
}


def room_of(kind: str) -> str:
    """Where instances of a kind live in the panel."""
    return "widgets" if kind == WIDGET else "bots"


def templates_of(request: Request) -> Templates:
    """The templates of the running application."""
    found: Templates = request.app.state.templates
    return found


async def show(
    request: Request, template: str, room: str = "", status: int = 200, **context: Any
) -> Response:
    """A page of the panel for whoever is signed in."""
    person: Person = request.state.person
    language = language_of(request)
    async with services_of(request).database.reading() as conn:
        counts = await channel_counts(conn)
    return bare(
        request, template, status,
        person=person, csrf=person.csrf, room=room, navigation=NAVIGATION, badges=_badges(counts),
        role=language(ROLES.get(person.role, person.role)), version=VERSION, **context,
    )  # fmt: skip


def bare(request: Request, template: str, status: int = 200, **context: Any) -> Response:
    """A page without the panel's frame."""
    language = language_of(request)
    nonce: str = request.state.nonce
    html = templates_of(request).render(
        language.code, template,
        nonce=nonce, theme=theme_of(request), path=request.url.path, request=request,
        toast=language(DONE.get(request.query_params.get("done", ""), "")),
        insecure=not keeps_secure_cookies(request), **context,
    )  # fmt: skip
    return HTMLResponse(html, status, headers=page_headers(nonce))


def fragment(request: Request, template: str, macro: str, *arguments: Any, status: int = 200) -> Response:
    """A piece of a page, for htmx."""
    html = templates_of(request).fragment(language_of(request).code, template, macro, *arguments)
    return HTMLResponse(html, status, headers={"cache-control": "no-store"})


def back(url: str, done: str = "", **query: str) -> Response:
    """To another page after a change."""
    values = {**query, **({"done": done} if done else {})}
    return RedirectResponse(f"{url}?{urlencode(values)}" if values else url, status_code=303)


def theme_of(request: Request) -> str:
    """light or dark, as the reader chose; "" follows the device."""
    theme = request.cookies.get("theme", "")
    return theme if theme in ("light", "dark") else ""


def local_path(path: str) -> str:
    """A path of our own, or the first page: never another site."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


def sign_in_url(request: Request) -> str:
    """Where to sign in and come back from."""
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"/sign-in?next={quote(path, safe='')}" if path != "/" and request.method == "GET" else "/sign-in"


def _badges(counts: list[Any]) -> dict[str, int]:
    found = {"bots": 0, "widgets": 0}
    for row in counts:
        if row.state in RUNNING:
            found[room_of(row.kind)] += row.count
    return found
