"""The gateway as an ASGI application in front of all others: its streams pass no other middleware."""

import asyncio
import importlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from admin.closing import on_close
from admin.gateway.access import Access
from admin.gateway.answering import Answering
from admin.gateway.asked import read_chat
from admin.gateway.errors import ApiError, limited
from admin.gateway.http import ClientGone, as_headers, read_body, read_json, send_json
from admin.gateway.ledger import Ledger
from admin.gateway.models import described, listed
from admin.gateway.outlet import Outlet, attended
from admin.services import Services
from core.fleet.control import ControlError
from core.gateway_keys import GatewayKey
from core.limits.limits import Grant, Limits
from core.limits.payer import Payer
from core.limits.rule import rules_of
from core.routing.route import Attempt, RouteStream, Skipped
from core.routing.spec import RouteSpec
from core.usage import rows_of
from db.usage import add_usage
from providers.types import ChatRequest

PREFIX, MODELS = "/v1", "/models"
PASSED = ("/embeddings", "/responses")
PASSING = "admin.gateway.passing"  # loaded when first used: it brings the vendors' HTTP client
MEDIA = {"images": "admin.gateway.images", "videos": "admin.gateway.videos"}
WITHIN = 600.0  # seconds for a whole answer, as the official clients wait
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """A request of a caller who was let in; `rest` is the path after the endpoint's."""

    scope: Scope
    receive: Receive
    outlet: Outlet
    key: GatewayKey
    rest: str = ""


class Answer(Protocol):
    """An answer on its way, of any endpoint that asks models."""

    @property
    def attempts(self) -> list[Attempt]:
        """Every attempt so far."""
        ...

    @property
    def skipped(self) -> list[Skipped]:
        """Candidates that were not asked."""
        ...

    async def run(self) -> None:
        """Answer. Raises ApiError as long as nothing was sent."""
        ...


class Gateway:
    """Answers everything under /v1. Whatever goes wrong, the client reads an error in OpenAI's shape."""

    def __init__(self, services: Services) -> None:
        self._router = services.router
        self._keys = services.gateway_keys
        self._book = services.book
        self._database = services.database
        self._limits = Limits(services.database)
        self._access = Access(services.gateway_keys, services.book)
        self.ledger = Ledger(services.database, services.gateway_keys)
        self._endpoints: dict[str, tuple[str, Callable[[Call], Awaitable[None]]]] = {
            "/chat/completions": ("POST", self._chat),
            MODELS: ("GET", self._models),
            **{path: ("POST", partial(self._pass, path)) for path in PASSED},
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path = scope["path"]
        outlet = Outlet(send)
        try:
            await self._answer(scope, receive, outlet)
        except ClientGone:
            logger.debug("the client of %s went away", path)
        except ApiError as error:
            await _refuse(outlet, error)
        except (ControlError, SQLAlchemyError) as error:
            logger.warning("%s: %s", path, error)
            await _refuse(outlet, _not_now("Botyard cannot read its configuration just now."))
        except asyncio.CancelledError:
            if outlet.started:
                raise
            await _refuse(outlet, _not_now("Botyard is being restarted."))
        except Exception:
            logger.exception("%s failed", path)
            await _refuse(outlet, ApiError(500, "Something went wrong in Botyard itself.", "server_error"))

    async def close(self) -> None:
        """Write down what was used."""
        await self.ledger.close()

    async def _answer(self, scope: Scope, receive: Receive, outlet: Outlet) -> None:
        path = scope["path"].removeprefix(PREFIX)
        if media := MEDIA.get(path.split("/")[1]) if "/" in path else None:
            await importlib.import_module(media).serve(path, scope, receive, outlet, self._access)
            return
        name, rest = _split(path)
        method, endpoint = self._endpoints.get(name, ("", None))
        if endpoint is None or (rest and name != MODELS):
            raise ApiError(404, "There is nothing at this address.", code="unknown_url")
        if scope["method"] != method:
            text = f"This address takes {method} only."
            raise ApiError(405, text, code="method_not_allowed", headers={"allow": method})
        key = await self._access.key_of(scope)
        if self._keys.due:
            self.ledger.add()
        await endpoint(Call(scope, receive, outlet, key, rest))

    async def _models(self, call: Call) -> None:
        asked = self._access, call.key, self._database
        found = described(*asked, call.rest) if call.rest else listed(*asked)
        await send_json(call.outlet.send, 200, await found)

    async def _chat(self, call: Call) -> None:
        asked = read_chat(read_json(await read_body(call.scope, call.receive)))
        spec = await self._access.route(call.key, asked.model)
        request = asked.for_route(spec)
        grant = await self._grant(call.key, spec, request)
        deadline = time.monotonic() + WITHIN

        def opened() -> RouteStream:
            return self._router.open(
                spec, request, deadline, allowance=grant.allowance, replaces=not asked.stream
            )

        answering = Answering(asked, call.outlet, grant.request_id, asked.shows_reasoning(spec), opened)
        await self._attend(call, grant, spec, answering)

    async def _pass(self, path: str, call: Call) -> None:
        module = importlib.import_module(PASSING)
        asked = module.read_passed(path, read_json(await read_body(call.scope, call.receive)))
        spec = await self._access.route(call.key, asked.model)
        grant = await self._grant(call.key, spec, ChatRequest(()))
        passing = module.Passing(asked, call.outlet, grant.request_id)
        passing.open(self._router, spec, time.monotonic() + WITHIN, grant.allowance)
        await self._attend(call, grant, spec, passing)

    async def _grant(self, key: GatewayKey, spec: RouteSpec, request: ChatRequest) -> Grant:
        """Leave to answer. Raises ApiError where a limit gives none."""
        book = await self._book.current()
        grant = await self._limits.begin(Payer("api", key_id=key.id), rules_of(book.limits), spec, request)
        if grant.allowance.stopped:
            raise limited(grant.allowance.resets_at)
        return grant

    async def _attend(self, call: Call, grant: Grant, spec: RouteSpec, answer: Answer) -> None:
        """Run an answer while its client is there; what it used is written however it ends."""

        async def settle(conn: AsyncConnection) -> None:
            rows = rows_of(answer.attempts, answer.skipped, grant, spec.id)
            await add_usage(conn, rows)
            await grant.settle(conn, rows)

        task = asyncio.create_task(answer.run())
        task.add_done_callback(lambda _: self.ledger.add(settle))
        await attended(task, call.receive, call.outlet)


class InFront:
    """Hands the gateway its requests before any other middleware sees them: they cost for each chunk."""

    def __init__(self, app: ASGIApp, gateway: Gateway) -> None:
        self._app = app
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path = scope["path"] if scope["type"] == "http" else ""
        mine = path == PREFIX or path.startswith(f"{PREFIX}/")
        await (self._gateway if mine else self._app)(scope, receive, send)


def install(app: Starlette, services: Services) -> None:
    """Put the gateway in front of the web process's application; call it after all other middlewares."""
    gateway = Gateway(services)
    app.add_middleware(InFront, gateway=gateway)
    on_close(app, gateway.close)


def _split(path: str) -> tuple[str, str]:
    """An endpoint and what follows it: a model's name, which may hold slashes."""
    if path.startswith(f"{MODELS}/"):
        return MODELS, path.removeprefix(f"{MODELS}/")
    return path, ""


def _not_now(text: str) -> ApiError:
    return ApiError(503, text, "server_error", code="unavailable", headers={"retry-after": "2"})


async def _refuse(outlet: Outlet, error: ApiError) -> None:
    """An error as the answer. One that comes after a part of the answer cuts the connection."""
    if outlet.started:
        raise error
    await send_json(outlet.send, error.status, error.encoded(), as_headers(error.headers))
