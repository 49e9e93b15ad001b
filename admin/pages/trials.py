"""What the playground and compare have in common: whom one may ask, and the stream of answers."""

import base64
import binascii
from collections.abc import Iterator
from typing import Any, Literal

from fastapi import Request
from pydantic import Field, ValidationError
from starlette.responses import JSONResponse, Response

from admin.i18n import Language, language_of
from admin.pages.changes import configuration_of
from admin.services import services_of
from admin.sign_in import Person
from admin.trial_events import Watching, lines
from core.compare import MOST, Question, Trials
from core.configuration.configs import Config
from core.configuration.errors import Invalid, problems_of
from core.configuration.sampling_configs import SamplingConfig
from core.configuration.texts import problem_text
from core.fleet.control import ControlError
from core.pictures import NotAPicture, read_picture
from providers.catalog import has_chat, vendors
from providers.types import ChatTurn, Image

Choice = tuple[str, str]


class Said(Config):
    """One message of a talk; `image` is a data: URL."""

    role: Literal["user", "assistant"]
    text: str = Field("", max_length=200_000)
    image: str = Field("", max_length=14_500_000)


class Asked(Config):
    """What a page asks: whom, as whom, how, and the talk so far."""

    models: list[str] = Field(min_length=1, max_length=MOST)
    prompt: str = Field("", max_length=100_000)
    settings: SamplingConfig = Field(default_factory=SamplingConfig)
    talk: list[Said] = Field(min_length=1, max_length=400)


async def choices(request: Request) -> list[Choice]:
    """Whom one may ask: routes first, each with what it is."""
    t, configuration = language_of(request), configuration_of(request)
    routes = [(row.id, _route_words(row, t)) for row in await configuration.routes.all()]
    providers = [row for row in await configuration.providers.all() if row.enabled and has_chat(row.kind)]
    best = [("auto", t("the best of all providers"))] if providers else []
    return [*routes, *best, *(one for row in providers for one in _models(row, t))]


def _route_words(row: Any, t: Language) -> str:
    return t("route") + (f": {row.name}" if row.name and row.name != row.id else "")


def _models(row: Any, t: Language) -> Iterator[Choice]:
    yield f"{row.id}:auto", t("the best of %(name)s", name=row.name or row.id)
    named = [str(one["name"]) for one in getattr(row, "models", None) or [] if isinstance(one, dict)]
    known = vendors()
    if row.kind in known:
        named += [model.name for model in known[row.kind].models]
    for name in dict.fromkeys(named):
        yield f"{row.id}:{name}", row.name or row.id


async def answers(request: Request, person: Person, source: str) -> Response:
    """The answers to a page's question as one stream of events; JSON with a `problem` when there are none."""
    t, services = language_of(request), services_of(request)
    try:
        asked = Asked.model_validate_json(await request.body())
        turns = _turns(asked)
        question = Question(turns, source, person.login, t.code, asked.settings.model_dump(exclude_none=True))
        book = await services.book.current()
        trials = await Trials(services.router, services.database).open(book, asked.models, question)
    except ValidationError as error:
        return _refused(Invalid(problems_of(error.errors(include_url=False, include_input=False))), t)
    except Invalid as error:
        return _refused(error, t)
    except NotAPicture:
        return JSONResponse({"problem": t("That is no PNG, JPEG, WebP or GIF of up to 10 MB.")}, 422)
    except ControlError:
        text = t("The supervisor does not answer, so there are no keys to ask with. Try again in a moment.")
        return JSONResponse({"problem": text}, 503)
    return Watching(lines(trials, t))


def _refused(error: Invalid, t: Language) -> Response:
    texts = [
        f"{one.place}: {problem_text(one, t.code)}".removeprefix("models[0]: ") for one in error.problems
    ]
    return JSONResponse({"problem": " · ".join(texts)}, 422)


def _turns(asked: Asked) -> tuple[ChatTurn, ...]:
    system = (ChatTurn("system", asked.prompt.strip()),) if asked.prompt.strip() else ()
    last = len(asked.talk) - 1
    return (*system, *(_turn(one, optional=place < last) for place, one in enumerate(asked.talk)))


def _turn(said: Said, *, optional: bool) -> ChatTurn:
    if not said.image:
        return ChatTurn(said.role, said.text)
    try:
        body = base64.b64decode(said.image.partition("base64,")[2], validate=True)
    except binascii.Error as error:
        raise NotAPicture("not base64") from error
    return ChatTurn(said.role, said.text, (Image(read_picture(body).url, optional=optional),))
