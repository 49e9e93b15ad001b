"""Routes: which models answer, in order, and which of them rest."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from admin.i18n import language_of
from admin.pages.changes import Values, configuration_of, many_of, texts_of
from admin.pages.crud import Crud, add_forms
from admin.pages.figures import is_about
from admin.pages.models import STATES
from admin.pages.page import show
from admin.pages.sampling import fill_sampling, read_sampling
from admin.services import services_of
from admin.sign_in import SignedIn
from admin.trial_events import outcome_words, skipped_words
from core.configuration.route_configs import NewRoute, RouteInput
from core.configuration.values import provider_of
from core.sampling import FIELDS
from db.base import now
from db.channels import all_channels
from providers.catalog import vendors

router = APIRouter()
NUMBERS = ("token_budget", "deadline", "first_token")
SWITCHES = ("content_fallback", "local_only", "show_reasoning")


@dataclass(frozen=True, slots=True)
class Rest:
    """Why a candidate rests, and until when (UTC epoch seconds)."""

    error_class: str
    until: float
    words: str


@dataclass(frozen=True, slots=True)
class State:
    """One candidate's line in the card of states."""

    name: str
    words: str
    tone: str
    why: str
    until: float | None


async def resting(request: Request) -> dict[str, Rest]:
    """The longest rest of each candidate that any route names."""
    t = language_of(request)
    rests_now = await services_of(request).router.cooldown.all()
    rows = [(scope, row) for scope, row in rests_now.items() if row.until > now()]
    found: dict[str, Rest] = {}
    for route in await configuration_of(request).routes.all():
        for candidate in route.candidates:
            mine = [row for scope, row in rows if rests(scope, candidate)]
            if mine:
                longest = max(mine, key=lambda row: float(row.until))
                words = outcome_words(longest.error_class, t)
                found[candidate] = Rest(longest.error_class, longest.until, words)
    return found


def rests(scope: str, candidate: str) -> bool:
    """True when a cooldown's scope (core/routing/cooldown.py) holds a candidate back."""
    provider = provider_of(candidate)
    if provider is None or not is_about(scope, provider):
        return False
    parts = scope.split(":")
    models = {"key-model": parts[3:], "model": parts[3:], "route": parts[4:]}
    model = ":".join(models.get(parts[0], []))
    return not model or model == candidate.partition(":")[2]


async def candidates(request: Request) -> Values:
    """What a route may name: for the suggestions under the fields."""
    known = vendors()
    names = ["auto", "knowledge"]
    for row in await configuration_of(request).providers.all():
        names.append(f"{row.id}:auto")
        if row.kind in known:
            names += [f"{row.id}:{model.name}" for model in known[row.kind].models]
        names += [f"{row.id}:{model['name']}" for model in row.models]
    return {"names": names, "resting": await resting(request)}


async def users(request: Request, row: Any) -> Values:
    """Which instances use a route."""
    async with services_of(request).database.reading() as conn:
        channels = await all_channels(conn)
    named = [one.name or one.slug for one in channels if (one.route_id or "default") == row.id]
    return {"users": named, "states": await states(request, row.id)}


async def states(request: Request, route_id: str) -> list[State]:
    """How the candidates of a route are now, in the order in which they are asked."""
    services, t = services_of(request), language_of(request)
    spec = (await services.book.current()).routes.get(route_id)
    found = await services.router.states(spec) if spec else []
    return [
        State(
            f"{one.provider_id}:{one.model}" + (f" #{one.key_number}" if one.key_number > 1 else ""),
            *STATES[one.state],
            skipped_words(one.skipped, t) if one.skipped else outcome_words(one.error_class, t),
            one.until,
        )
        for one in found
    ]


def _read(form: FormData) -> Values:
    numbers = {name: text.replace(",", ".") for name, text in texts_of(form, *NUMBERS).items()}
    switches = texts_of(form, *SWITCHES)
    settings = {**numbers, **switches, **read_sampling(form)}
    return {**texts_of(form, "name"), **settings, "candidates": many_of(form, "candidates")}


def _fill(row: Any) -> Values:
    numbers = {name: "" if getattr(row, name) is None else f"{getattr(row, name):.12g}" for name in NUMBERS}
    switches = {name: str(getattr(row, name)).lower() for name in SWITCHES}
    settings = {**numbers, **switches, **fill_sampling({name: getattr(row, name) for name in FIELDS})}
    return {"name": row.name, "candidates": row.candidates, **settings}


ROUTES = Crud(
    "routes", "route.html", lambda c: c.routes, NewRoute, RouteInput, _read, _fill, candidates, users
)


@router.get("/routes")
async def routes(request: Request, _: SignedIn) -> Response:
    """All routes."""
    rows = await configuration_of(request).routes.all()
    return await show(request, "routes.html", "routes", rows=rows, resting=await resting(request))


add_forms(router, ROUTES)
