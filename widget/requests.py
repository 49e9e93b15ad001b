"""A request to a widget, and the answers it can get; plain ASGI, because six endpoints need no framework."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from widget.refusals import Refused

LONGEST_BODY = 64 * 1024
METHODS = "GET, POST, OPTIONS"
HEADERS = "content-type, idempotency-key, last-event-id, x-visitor"
HeaderList = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked; header names are lower case."""

    method: str
    name: str
    item: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    receive: Receive
    send: Send

    @classmethod
    def of(cls, scope: Scope, receive: Receive, send: Send) -> "Request":
        """The request of an ASGI call for /w/<slug>/<name> or /w/<slug>/<name>/<item>."""
        parts = scope["path"].split("/")
        query = parse_qs(scope["query_string"].decode("latin-1"))
        return cls(
            method=scope["method"],
            name=parts[3] if len(parts) in (4, 5) else "",
            item=parts[4] if len(parts) == 5 else "",
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            query={name: values[-1] for name, values in query.items()},
            receive=receive,
            send=send,
        )

    @property
    def language(self) -> str:
        """en or ru."""
        wanted = self.query.get("lang") or self.headers.get("accept-language", "")
        return "ru" if wanted[:2].lower() == "ru" else "en"

    @property
    def address(self) -> str:
        """The visitor's network address, as the web process says."""
        return self.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()

    @property
    def scheme(self) -> str:
        """How the visitor reached the web process."""
        return self.headers.get("x-forwarded-proto", "http")

    async def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises Refused."""
        try:
            data = json.loads(await self.body(LONGEST_BODY) or b"{}")
        except (ValueError, RecursionError):
            raise Refused("bad_json") from None
        if not isinstance(data, dict):
            raise Refused("bad_json")
        return data

    async def body(self, longest: int) -> bytes:
        """The body, if it is not longer. Raises Refused."""
        length = self.headers.get("content-length", "0")
        if length.isdigit() and int(length) > longest:
            raise Refused("too_large")
        body = bytearray()
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise Refused("failed")  # nobody reads it: what came is a part
            body += message.get("body", b"")
            if len(body) > longest:
                raise Refused("too_large")
            if not message.get("more_body"):
                return bytes(body)

    def cors(self) -> HeaderList:
        """The headers that let the page read the answer."""
        origin = self.headers.get("origin")
        if origin is None:
            return [(b"vary", b"Origin")]
        return [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-expose-headers", b"Retry-After"),
            (b"vary", b"Origin"),
        ]

    async def answer(self, status: int, data: Any, headers: HeaderList) -> None:
        """Send JSON."""
        body = json.dumps(data, ensure_ascii=False).encode("utf-8", "replace")
        fixed: HeaderList = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await self.send({"type": "http.response.start", "status": status, "headers": fixed + headers})
        await self.send({"type": "http.response.body", "body": body})

    async def hand_out(self, body: bytes, headers: HeaderList) -> None:
        """Send bytes."""
        length = (b"content-length", str(len(body)).encode())
        await self.send({"type": "http.response.start", "status": 200, "headers": [length, *headers]})
        await self.send({"type": "http.response.body", "body": body})

    async def refuse(self, error: Refused, headers: HeaderList) -> None:
        """Send a refusal."""
        after = [(b"retry-after", str(error.after).encode())] if error.after else []
        await self.answer(error.status, error.body(self.language), [*headers, *after])

    async def preflight(self) -> None:
        """Answer a browser that asks whether it may."""
        allow = [
            (b"access-control-allow-methods", METHODS.encode()),
            (b"access-control-allow-headers", HEADERS.encode()),
            (b"access-control-max-age", b"600"),
            (b"content-length", b"0"),
        ]
        headers = [*self.cors(), *allow]
        await self.send({"type": "http.response.start", "status": 204, "headers": headers})
        await self.send({"type": "http.response.body", "body": b""})
