"""HTTP as the gateway speaks it: bodies up to a limit, JSON with its mistakes named, whole answers."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from starlette.types import Receive, Scope, Send

from admin.gateway.errors import ApiError

LONGEST_BODY = 20 << 20
DRAINED = 64 << 20  # a longer body's connection is closed rather than read to its end
BODY_WITHIN = 120.0  # seconds
JSON = (b"content-type", b"application/json")
NOSNIFF = (b"x-content-type-options", b"nosniff")
Header = tuple[bytes, bytes]


class ClientGone(Exception):
    """The client left; nobody reads an answer."""


def header(scope: Scope, name: bytes) -> str:
    """A request's header, "" without it."""
    for given, value in scope["headers"]:
        if given == name:
            return str(value.decode("latin-1"))
    return ""


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """A request's body. Raises ApiError (too long, too slow) and ClientGone."""
    declared = header(scope, b"content-length")
    if declared and (not declared.isdigit() or int(declared) > LONGEST_BODY):
        raise _too_large(closing=not declared.isdigit() or int(declared) > DRAINED)
    try:
        async with asyncio.timeout(BODY_WITHIN):
            return await _pieces(receive)
    except TimeoutError:
        raise ApiError(
            408, "The body did not come in time.", code="timeout", headers={"connection": "close"}
        ) from None


async def _pieces(receive: Receive) -> bytes:
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece = message.get("body", b"")
        size += len(piece)
        if size > LONGEST_BODY:
            raise _too_large(closing=True)
        parts.append(piece)
        if not message.get("more_body"):
            return b"".join(parts)


def _too_large(*, closing: bool) -> ApiError:
    text = f"The body is too large: at most {LONGEST_BODY >> 20} MB."
    return ApiError(413, text, code="request_too_large", headers={"connection": "close"} if closing else {})


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_not_finite)


def read_json(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. Raises ApiError, which says where it is wrong."""
    try:
        value = _DECODER.decode(body.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise ApiError(400, f"The body is not JSON: {error.msg} ({place}).", code="invalid_json") from None
    except UnicodeDecodeError as error:
        raise ApiError(400, f"The body is not UTF-8 (byte {error.start}).", code="invalid_json") from None
    except RecursionError:
        raise ApiError(400, "The body nests too deep.", code="invalid_json") from None
    except ValueError:
        raise ApiError(400, "The body holds a number that is not JSON.", code="invalid_json") from None
    if not isinstance(value, dict):
        raise ApiError(400, "The body must be a JSON object.", code="invalid_json")
    return value


async def send_json(send: Send, status: int, body: bytes, headers: Sequence[Header] = ()) -> None:
    """A whole answer."""
    all_headers = [JSON, NOSNIFF, (b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": all_headers})
    await send({"type": "http.response.body", "body": body})


def as_headers(headers: Mapping[str, str]) -> list[Header]:
    """Headers as ASGI takes them."""
    return [(name.encode("ascii"), value.encode("latin-1", "replace")) for name, value in headers.items()]
