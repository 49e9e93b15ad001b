"""The first page: what the fleet does, live."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from admin.i18n import language_of
from admin.live import Event, Live, json_message, message, partial, repainted, stream
from admin.pages.figures import figures_of, midnight
from admin.pages.first_steps import first_steps
from admin.pages.instances_view import fleet
from admin.pages.page import show, templates_of
from admin.services import services_of
from admin.sign_in import Person, SignedIn

router = APIRouter()
TOPICS = ("state", "config", "conversation", "jobs")


@router.get("/")
async def dashboard(request: Request, _: SignedIn) -> Response:
    """The dashboard, or the first steps while there is nothing to show."""
    services = services_of(request)
    steps = await first_steps(services)
    return await show(
        request,
        "dashboard.html",
        "dashboard",
        fleet=await fleet(request),
        figures=await figures_of(services, midnight(request)),
        steps=steps,
    )


@router.get("/events/dashboard")
async def events(request: Request, person: SignedIn) -> Response:
    """The dashboard's figures, again whenever they change."""
    live: Live = request.app.state.live

    async def paint() -> str:
        return await _painted(request, person)

    return stream(repainted(live, _wanted, paint))


async def _painted(request: Request, person: Person) -> str:
    services = services_of(request)
    now = await fleet(request)
    figures = await figures_of(services, midnight(request))
    templates, language = templates_of(request), language_of(request).code

    def part(macro: str, *arguments: object) -> str:
        return templates.fragment(language, "dashboard_parts.html", macro, *arguments)

    parts = [
        partial("#kpis", part("kpis", figures, now)),
        partial("#health", part("health", figures)),
        partial("#media", part("media", figures.jobs)),
        partial("#fleet", part("table", now.instances, person)),
        partial("#fleet-count", part("counted", now)),
        partial("#status", part("status", now)),
    ]
    return message("".join(parts)) + json_message("traffic", figures.traffic)


def _wanted(event: Event) -> bool:
    return event.get("topic") in TOPICS
