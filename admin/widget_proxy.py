"""The way from the web process to a widget's process: a streaming reverse proxy over Unix sockets."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from admin.widget_upstream import ConnectionPool, Upstream, UpstreamLost
from core.pictures import LARGEST

LONGEST_BODY = 1024 * 1024
LONGEST_PICTURE = LARGEST + 1  # the widget's own process says what is wrong with a larger one
HEAD_WITHIN = 20.0  # seconds to the head of an answer
HOP_BY_HOP = {
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te",
    b"trailer", b"transfer-encoding", b"upgrade", b"expect",
}  # fmt: skip
OURS = {b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-real-ip", b"cookie"}
REPEATABLE = {"GET", "HEAD", "OPTIONS"}
HeaderList = list[tuple[bytes, bytes]]
logger = logging.getLogger(__name__)


class Unavailable(Exception):
    """The widget's process does not answer; nothing was sent to the client yet."""


class TooLarge(Exception):
    """The request's body is over the limit; nothing was sent to the client yet."""


class Proxy:
    """Hands ASGI requests through to the process behind a socket."""

    def __init__(self) -> None:
        self._pool = ConnectionPool()

    async def handle(self, path: Path, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. Raises Unavailable or TooLarge as long as the client can still be told."""
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > longest_body(scope):
            raise TooLarge
        repeatable = scope["method"] in REPEATABLE and not _has_body(scope["headers"])
        while True:
            try:
                upstream = await self._pool.take(path)
            except OSError as error:
                raise Unavailable(str(error)) from error
            reused = upstream.used
            exchange = Exchange(upstream, scope, receive, send)
            try:
                await exchange.run()
                return
            except UpstreamLost as error:
                if reused and repeatable:
                    continue  # it was idle too long and had been closed: a fresh one answers or fails
                raise Unavailable(str(error)) from error
            finally:
                self._pool.give_back(path, upstream, exchange.complete)

    def close(self) -> None:
        """Close all idle connections."""
        self._pool.close()


class Exchange:
    """One request and its answer on one connection; `complete` when the connection can be used again."""

    def __init__(self, upstream: Upstream, scope: Scope, receive: Receive, send: Send) -> None:
        self._upstream = upstream
        self._scope = scope
        self._receive = receive
        self._send = send
        self._started = False
        self._uploaded = False
        self.complete = False

    async def run(self) -> None:
        """Upload and download at once, until the answer ends or the client goes."""
        feeding = asyncio.create_task(self._feed())
        relaying = asyncio.create_task(self._relay())
        try:
            await asyncio.wait({feeding, relaying}, return_when=asyncio.FIRST_COMPLETED)
            if not relaying.done():
                await self._after_feed(feeding, relaying)
            else:
                relaying.result()
        finally:
            for task in (feeding, relaying):
                task.cancel()
            await asyncio.gather(feeding, relaying, return_exceptions=True)

    async def _after_feed(self, feeding: asyncio.Task[None], relaying: asyncio.Task[None]) -> None:
        try:
            feeding.result()
        except UpstreamLost:
            await relaying  # the answer may have come before the connection broke: it says what happened
        except TooLarge:
            if not self._started:
                raise
        except ClientDisconnect:
            logger.debug("the client of %s went away", self._scope["path"])

    async def _feed(self) -> None:
        """Send the request, then wait for the client to go away."""
        upstream = self._upstream
        chunked = _has_body(self._scope["headers"]) and not _has_length(self._scope["headers"])
        upstream.write(_head(self._scope, chunked))
        size = 0
        async for piece in _body(self._receive):
            size += len(piece)
            if size > longest_body(self._scope):
                raise TooLarge
            upstream.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            await upstream.drain()
        if chunked:
            upstream.write(b"0\r\n\r\n")
        self._uploaded = True
        while (await self._receive())["type"] != "http.disconnect":
            pass
        raise ClientDisconnect

    async def _relay(self) -> None:
        upstream = self._upstream
        try:
            async with asyncio.timeout(HEAD_WITHIN):
                status, headers = await upstream.head(self._scope["method"] == "HEAD")
        except TimeoutError as error:
            raise UpstreamLost("no answer in time") from error
        self._started = True
        await self._send({"type": "http.response.start", "status": status, "headers": _kept(headers)})
        try:
            async for piece in upstream.body():
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        except UpstreamLost:
            if _has_length(headers):
                return  # too short: the server closes the connection, so that the client sees it
            await self._send({"type": "http.response.body", "body": b""})
            return
        await self._send({"type": "http.response.body", "body": b""})
        self.complete = self._uploaded and upstream.reusable


def longest_body(scope: Scope) -> int:
    """The most bytes that a request may have: more for a picture."""
    return LONGEST_PICTURE if scope["path"].endswith("/pictures") else LONGEST_BODY


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return


def _has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in headers
    )


def _has_length(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name == b"content-length" for name, _ in headers)


def _kept(headers: HeaderList) -> HeaderList:
    """Headers that concern more than one connection. `Connection` cannot take away where a body ends."""
    named = {
        part.strip().lower() for name, value in headers if name == b"connection" for part in value.split(b",")
    } - {b"content-length"}
    return [(name, value) for name, value in headers if name not in HOP_BY_HOP and name not in named]


def _head(scope: Scope, chunked: bool) -> bytes:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    path = path.split(b"?")[0]
    if scope["query_string"]:
        path += b"?" + scope["query_string"]
    headers = [(name, value) for name, value in _kept(scope["headers"]) if name not in OURS]
    host = dict(scope["headers"]).get(b"host", b"")
    client = (scope.get("client") or ("",))[0]
    headers += [
        (b"x-forwarded-for", client.encode("latin-1", "replace")),
        (b"x-forwarded-proto", scope["scheme"].encode()),
        (b"x-forwarded-host", host),
    ]
    if chunked:
        headers.append((b"transfer-encoding", b"chunked"))
    lines = b"".join(b"%b: %b\r\n" % pair for pair in headers)
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (scope["method"].encode(), path, lines)
