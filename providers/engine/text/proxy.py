"""The OpenAI-compatible face of the text engines: each request goes to the engine of its model.

A client that leaves closes the request to the engine within a second, so that nothing is made for nobody.
Nothing of an engine but these paths can be reached.
"""

import asyncio
import json
import logging
import math
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import aiohttp
from aiohttp import web

from providers.engine.text.calls import NOT_THERE
from providers.engine.text.memory import NoRoom
from providers.engine.text.model import EngineBusy, EngineFailed
from providers.engine.text.service import SetAside, TextLease, TextService, UnknownModel

LOG = logging.getLogger(__name__)
MOST_BODY = 32 << 20
LOOK = 0.25  # seconds between looks whether the client is still there
TIMES = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=600)
DONE = b"data: [DONE]\n\n"
Answer = TypeVar("Answer")


class ClientLeft(Exception):
    """Nobody reads the answer any more."""


class TextProxy:
    """The handlers; whoever mounts them has checked the token."""

    def __init__(self, service: TextService, http: aiohttp.ClientSession) -> None:
        self._service = service
        self._http = http

    def routes(self) -> list[web.RouteDef]:
        """Everything under /v1."""
        paths = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings")
        return [web.get("/v1/models", self.models), *(web.post(path, self.answer) for path in paths)]

    async def models(self, request: web.Request) -> web.Response:
        """Every model and adapter, running or not."""
        names = self._service.names()
        data = [{"id": name, "object": "model", "created": 0, "owned_by": "engine"} for name in names]
        return web.json_response({"object": "list", "data": data})

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One request, passed on."""
        try:
            body = await _body(request)
            return await _while_there(request, self._pass_on(request, body))
        except ClientLeft:
            return web.Response(status=499)
        except UnknownModel as error:
            return _error(404, f"there is no text model {error}", "model_not_found")
        except ValueError as error:
            return _error(400, str(error), "invalid_request")
        except EngineBusy as error:
            return _error(503, str(error), "overloaded", error.retry_after)
        except NoRoom as error:
            return _no_room(error)
        except SetAside as error:
            return _error(503, "the model's engine failed repeatedly", "engine_failed", error.retry_after)
        except EngineFailed as error:
            LOG.warning("no engine for a request: %s", error)
            return _error(503, "the model's engine could not be started", "engine_failed", 5.0)

    async def _pass_on(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        async with await self._service.open(body["model"]) as lease:
            if request.path.endswith("/embeddings") and not lease.embeds:
                raise ValueError("this model's engine makes no embeddings")
            sent = {**body, "model": lease.upstream}
            url = lease.base_url + request.path
            try:
                post = self._http.post(url, json=sent, headers=lease.headers, timeout=TIMES)
                async with post as upstream:
                    if upstream.content_type == "text/event-stream":
                        return await _stream(request, upstream, lease)
                    data = await upstream.read()
                    if upstream.status < 400 or upstream.status >= 500:
                        lease.tried("" if upstream.status < 400 else f"it answered {upstream.status}")
                    return _whole(upstream.status, data, lease)
            except NOT_THERE as error:
                LOG.warning("the engine of %s broke off: %r", lease.name, error)
                lease.tried(f"it broke off: {type(error).__name__}")
                return _error(503, "the engine died under the request", "engine_died", 1.0)


async def _stream(
    request: web.Request, upstream: aiohttp.ClientResponse, lease: TextLease
) -> web.StreamResponse:
    """Chunks as they come; an engine that dies under them ends the stream with an error, not [DONE]."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    try:
        if lease.echoed:
            await _stream_lines(response, upstream, lease)
        else:
            async for chunk in upstream.content.iter_any():
                await response.write(chunk)
        lease.tried("")
    except ConnectionResetError as error:
        raise ClientLeft from error
    except NOT_THERE as error:
        LOG.warning("the engine of %s broke off in a reply: %r", lease.name, error)
        lease.tried(f"it broke off in a reply: {type(error).__name__}")
        broken = {"error": {"message": "the engine died", "type": "server_error", "code": "engine_died"}}
        with suppress(ConnectionResetError):
            await response.write(b"data: " + json.dumps(broken).encode() + b"\n\n")
    return response


async def _stream_lines(
    response: web.StreamResponse, upstream: aiohttp.ClientResponse, lease: TextLease
) -> None:
    """Line by line where the server names its folder instead of the model, and leaves out the last line."""
    done = False
    async for line in upstream.content:
        if not line.startswith(b"data: "):
            continue
        done = line.strip() == DONE.strip()
        await response.write(DONE if done else b"data: " + _renamed(line[6:], lease) + b"\n\n")
    if not done:
        await response.write(DONE)


def _whole(status: int, data: bytes, lease: TextLease) -> web.Response:
    if status < 400:
        return web.Response(body=_renamed(data, lease), content_type="application/json")
    try:
        answer = json.loads(data)
    except ValueError:
        answer = {}
    told = answer if isinstance(answer, dict) else {}
    inner = told.get("error")
    message = inner.get("message") if isinstance(inner, dict) else inner or told.get("detail")
    return _error(
        status, str(message or "the engine refused")[:2000].replace(lease.upstream, lease.name), "engine"
    )


def _renamed(data: bytes, lease: TextLease) -> bytes:
    """A reply that calls the model by the name it was asked for."""
    if not lease.echoed:
        return data
    with suppress(ValueError):
        answer = json.loads(data)
        if isinstance(answer, dict) and "model" in answer:
            return json.dumps(answer | {"model": lease.name}).encode()
    return data.strip()


async def _body(request: web.Request) -> dict[str, Any]:
    """The request's JSON. Raises ValueError."""
    data = bytearray()
    async for chunk in request.content.iter_chunked(1 << 16):
        data += chunk
        if len(data) > MOST_BODY:
            raise ValueError(f"a request is at most {MOST_BODY} bytes")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError("the request is not JSON") from error
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise ValueError("the request names no model")
    return body


async def _while_there(request: web.Request, work: Coroutine[Any, Any, Answer]) -> Answer:
    """Do the work unless the client leaves. Raises ClientLeft then, the work cancelled."""
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait({task}, timeout=LOOK))[0]:
            if request.transport is None or request.transport.is_closing():
                raise ClientLeft
        return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})


def _no_room(error: NoRoom) -> web.Response:
    if not error.forever:
        return _error(503, str(error), "overloaded", 5.0)
    told = {"message": str(error), "type": "server_error", "code": "no_room", **error.numbers}
    return web.json_response({"error": told}, status=507)


def _error(status: int, message: str, code: str, retry_after: float | None = None) -> web.Response:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    headers = {"Retry-After": str(math.ceil(retry_after))} if retry_after else None
    told = {"error": {"message": message, "type": kind, "code": code}}
    return web.json_response(told, status=status, headers=headers)
