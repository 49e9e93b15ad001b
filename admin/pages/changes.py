"""Changes that people make in forms: read, checked, made, and when refused explained beside the fields."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import Response

from admin.i18n import language_of
from admin.live import Live
from admin.pages.page import show
from admin.services import services_of
from admin.sign_in import Person
from core.configuration.errors import ConfigurationError, Invalid, NotFound, problems_of
from core.configuration.service import Configuration
from core.configuration.texts import error_text, problem_text
from core.fleet.control import ControlError

Model = TypeVar("Model", bound=BaseModel)
Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """A form's page: its template, its room, and what it shows beside the form."""

    template: str
    room: str
    context: Callable[[Request], Awaitable[Values]]


def configuration_of(request: Request) -> Configuration:
    """The one place where the configuration is changed."""
    services = services_of(request)
    return Configuration(services.database, services.control.seal, services.control.wake)


def validated(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Values of a form as a config; raises Invalid."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise Invalid(problems_of(error.errors(include_url=False, include_input=False))) from error


def actor(person: Person) -> str:
    """How the audit names a person."""
    return person.login


def errors_of(error: ConfigurationError | ControlError, code: str, request: Request) -> dict[str, str]:
    """What was wrong, by field; "" is the whole form."""
    if isinstance(error, ControlError):
        t = language_of(request)
        return {"": t("The supervisor does not answer, so nothing was changed. Try again in a moment.")}
    if not isinstance(error, Invalid):
        return {"": error_text(error, code)}
    found: dict[str, str] = {}
    for problem in error.problems:
        text = problem_text(problem, code)
        place, bracket, rest = problem.place.partition("[")
        place = place.partition(".")[0]
        if bracket:
            number = rest.partition("]")[0]
            text = f"{int(number) + 1}: {text}" if number.isdigit() else text
        found.setdefault(place, text[:1].upper() + text[1:])
        found.setdefault(problem.place, text[:1].upper() + text[1:])
    return found


async def attempt(
    request: Request, page: Page, values: Values, change: Callable[[], Awaitable[Response]]
) -> Response:
    """Make a change; when it is refused, show its form again with what was typed and what is wrong."""
    try:
        response = await change()
    except NotFound as error:
        raise HTTPException(404) from error
    except (ConfigurationError, ControlError) as error:
        errors = errors_of(error, language_of(request).code, request)
        context = await page.context(request)
        return await show(
            request, page.template, page.room, 422, **{**context, "values": values, "errors": errors}
        )
    changed(request)
    return response


def changed(request: Request) -> None:
    """Have pages that watch look again at once."""
    live: Live = request.app.state.live
    live.publish({"topic": "config"})


def text_of(form: FormData, name: str) -> str:
    """A field's text, without the spaces around it, and without zero characters: databases refuse them."""
    value = form.get(name, "")
    return "" if isinstance(value, UploadFile) else value.replace("\0", "").strip()


def texts_of(form: FormData, *names: str) -> Values:
    """Fields that were filled in; an empty one takes the default."""
    return {name: text for name in names if (text := text_of(form, name))}


def many_of(form: FormData, name: str) -> list[str]:
    """A field that is there several times, or one with a value a line."""
    texts = [value.replace("\0", "") for value in form.getlist(name) if isinstance(value, str)]
    return [line.strip() for text in texts for line in text.splitlines() if line.strip()]
