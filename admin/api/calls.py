"""What every call of the REST API goes through: its token first, then a limit on its body."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.responses import Response
from starlette.types import Message

from admin.api.errors import RESPONSES, BodyTooLarge
from admin.bearer import caller_of
from admin.services import Services, services_of
from core.configuration.service import Configuration
from core.configuration.values import Readable

LONGEST_BODY = 2 << 20
LONGEST_UPLOAD = 21 << 20  # a document of 20 MB and what multipart adds

# Only says so in OpenAPI: the token is checked by Call, before a byte of the body is read.
bearer = HTTPBearer(
    auto_error=False, description="BOTYARD_ADMIN_TOKEN, or a token made under /api/v1/tokens."
)


class Call(APIRoute):
    """A route that refuses callers without a token and bodies beyond its limit before it reads them."""

    limit = LONGEST_BODY

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler behind both checks."""
        handle = super().get_route_handler()
        limit = self.limit

        async def checked(request: Request) -> Response:
            request.state.caller = await caller_of(request)
            return await handle(limited(request, limit))

        return checked


class Upload(Call):
    """A route that takes a document."""

    limit = LONGEST_UPLOAD


def api_router(tag: str, route_class: type[Call] = Call) -> APIRouter:
    """A router of the API."""
    return APIRouter(
        tags=[tag], route_class=route_class, dependencies=[Security(bearer)], responses=RESPONSES
    )


def limited(request: Request, limit: int) -> Request:
    """The request, whose body may have so many bytes. Raises BodyTooLarge, while it is read at the latest."""
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge(limit)
    left = limit
    receive = request.receive

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise BodyTooLarge(limit)
        return message

    return Request(request.scope, counted)


def configuration_of(request: Request) -> Configuration:
    """The service that changes the configuration."""
    services = services_of(request)
    return Configuration(services.database, services.control.seal, services.control.wake)


def caller(request: Request) -> str:
    """The caller's name, for the audit."""
    return str(request.state.caller)


Actor = Annotated[str, Depends(caller)]
Config = Annotated[Configuration, Depends(configuration_of)]
Parts = Annotated[Services, Depends(services_of)]
Id = Annotated[str, Path(max_length=64, description="Its id."), Readable]
