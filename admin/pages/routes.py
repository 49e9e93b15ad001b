"""Routes: which models answer, in order, and which of them rest."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from admin.i18n import Language, language_of
from admin.pages.changes import Values, configuration_of, many_of, texts_of
from admin.pages.crud import Crud, add_forms
from admin.pages.models import STATES
from admin.pages.page import show
from admin.pages.sampling import fill_sampling, read_sampling
from admin.services import services_of
from admin.sign_in import SignedIn
from admin.trial_events import outcome_words, skipped_words
from core.configuration.route_configs import NewRoute, RouteInput
from core.routing.states import CandidateState
from core.sampling import FIELDS
from db.channels import all_channels
from providers.catalog import has_chat, vendors

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


async def states_of(request: Request, route_id: str) -> list[CandidateState]:
    """How the candidates of a route are now, in the order in which they are asked."""
    services = services_of(request)
    spec = (await services.book.current()).routes.get(route_id)
    return await services.router.states(spec) if spec else []


def resting(states: list[CandidateState], t: Language) -> dict[str, Rest]:
    """The lines of a route that nobody can be asked for now, each with the rest that ends first."""
    lines: dict[str, list[CandidateState]] = {}
    for one in states:
        if one.state != "off":
            lines.setdefault(one.line, []).append(one)
    found = {}
    for line, ones in lines.items():
        until, first = min(((one.until or 0.0, one) for one in ones), key=lambda pair: pair[0])
        if all(one.state == "cooling" for one in ones):
            found[line] = Rest(first.error_class, until, outcome_words(first.error_class, t))
    return found


async def candidates(request: Request) -> Values:
    """What a route may name: for the suggestions under the fields."""
    known = vendors()
    names = ["auto", "knowledge"]
    for row in await configuration_of(request).providers.all():
        if not has_chat(row.kind):
            continue
        names.append(f"{row.id}:auto")
        if row.kind in known:
            names += [f"{row.id}:{model.name}" for model in known[row.kind].models]
        names += [f"{row.id}:{model['name']}" for model in row.models]
    return {"names": names, "resting": {}}


async def users(request: Request, row: Any) -> Values:
    """Which instances use a route, and how its candidates are now."""
    async with services_of(request).database.reading() as conn:
        channels = await all_channels(conn)
    named = [one.name or one.slug for one in channels if (one.route_id or "default") == row.id]
    states, t = await states_of(request, row.id), language_of(request)
    return {"users": named, "states": [_line(one, t) for one in states], "resting": resting(states, t)}


def _line(one: CandidateState, t: Language) -> State:
    key = f" #{one.key_number}" if one.key_number > 1 else ""
    why = skipped_words(one.skipped, t) if one.skipped else outcome_words(one.error_class, t)
    return State(f"{one.provider_id}:{one.model}{key}", *STATES[one.state], why, one.until)


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
    t = language_of(request)
    rests = {row.id: resting(await states_of(request, row.id), t) for row in rows}
    return await show(request, "routes.html", "routes", rows=rows, resting=rests)


add_forms(router, ROUTES)
