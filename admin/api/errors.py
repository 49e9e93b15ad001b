"""The one shape of every error of the REST API, in the caller's language."""

from collections.abc import Mapping
from typing import Any

import fastapi
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from admin.bearer import Unauthorized
from core.configuration.errors import problems_of
from core.configuration.service import (
    ConfigurationError,
    Conflict,
    DocumentRefused,
    Invalid,
    ManagedByFile,
    NotFound,
)
from core.configuration.texts import error_text, problem_text, say
from core.fleet.control import ControlError
from core.texts import LANGUAGES

MEGABYTE = 1 << 20
STATUSES: Mapping[type[ConfigurationError], int] = {
    NotFound: 404,
    Conflict: 409,
    ManagedByFile: 409,
    Invalid: 422,
    DocumentRefused: 422,
}
HTTP_TEXTS = {404: "no_such_address", 405: "no_such_method", 413: "body_too_large"}


class FieldError(BaseModel):
    """What is wrong with one field; `field` is a place such as `candidates[0]`."""

    field: str
    code: str
    message: str


class ErrorDetail(BaseModel):
    """An error: `code` for programs, `message` for people."""

    code: str
    message: str
    field_errors: list[FieldError] = []


class ErrorAnswer(BaseModel):
    """What every failed request answers."""

    error: ErrorDetail


class BodyTooLarge(fastapi.HTTPException):
    """A body beyond the limit, told before it is read."""

    def __init__(self, limit: int) -> None:
        super().__init__(413)
        self.limit = limit


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": description}
    for status, description in {
        400: "The body cannot be read",
        401: "No valid token",
        404: "Not found",
        409: "Taken, in use, or managed by the fleet file",
        413: "The body is too large",
        422: "Some values are wrong",
        503: "The supervisor does not answer",
    }.items()
}


def language_of(request: Request) -> str:
    """The caller's language by Accept-Language; English without a known one."""
    wanted = []
    for part in request.headers.get("accept-language", "")[:200].split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            wanted.append((float(weight or 1), tag[:2].lower()))
        except ValueError:
            continue
    known = [(weight, tag) for weight, tag in wanted if tag in LANGUAGES and weight > 0]
    return max(known, key=lambda one: one[0])[1] if known else "en"


def answer(status: int, detail: ErrorDetail, headers: Mapping[str, str] | None = None) -> Response:
    """An error as a response."""
    return JSONResponse(ErrorAnswer(error=detail).model_dump(), status, headers=dict(headers or {}))


def install_errors(app: FastAPI) -> None:
    """Answer every error under /api in this shape."""
    app.add_exception_handler(ConfigurationError, _configuration_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Unauthorized, _unauthorized)
    app.add_exception_handler(ControlError, _control_error)


async def _configuration_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ConfigurationError)
    language = language_of(request)
    problems = error.problems if isinstance(error, Invalid) else ()
    fields = [
        FieldError(field=problem.place, code=problem.key, message=problem_text(problem, language))
        for problem in problems
    ]
    detail = ErrorDetail(code=error.key, message=error_text(error, language), field_errors=fields)
    return answer(STATUSES.get(type(error), 400), detail)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    details = error.errors()
    if any(one["type"] == "json_invalid" for one in details):
        return _said(request, 400, "bad_json")
    return await _configuration_error(request, Invalid(problems_of(details, skip=1)))


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    values: dict[str, object] = {"method": request.method}
    if isinstance(error, BodyTooLarge):
        values["limit"] = error.limit // MEGABYTE
    key = HTTP_TEXTS.get(error.status_code, "bad_json" if error.status_code == 400 else "bad_request")
    return _said(request, error.status_code, key, error.headers, **values)


async def _unauthorized(request: Request, _error: Exception) -> Response:
    return _said(request, 401, "unauthorized", {"www-authenticate": "Bearer"})


async def _control_error(request: Request, _error: Exception) -> Response:
    return _said(request, 503, "no_supervisor", {"retry-after": "2"})


def broken(request: Request) -> Response:
    """What a failure of Botyard itself answers; its traceback is in the log."""
    return _said(request, 500, "broken")


def _said(
    request: Request, status: int, key: str, headers: Mapping[str, str] | None = None, **values: object
) -> Response:
    message = say(key, language_of(request), **values)
    return answer(status, ErrorDetail(code=key, message=message), headers)
