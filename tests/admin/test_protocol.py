"""Heads of requests, whole and never whole, against a real server."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from admin import protocol
from admin.protocol import LONGEST_HEAD, LimitedProtocol

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def measure(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the length of what was sent."""
    body = await Request(scope, receive).body()
    await PlainTextResponse(str(len(body)))(scope, receive, send)


@asynccontextmanager
async def connected() -> AsyncIterator[Connection]:
    config = uvicorn.Config(measure, http=LimitedProtocol, lifespan="off", log_config=None, ws="none")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        yield reader, writer
        writer.close()
        server.should_exit = True
        await serving


@pytest.fixture
async def client() -> AsyncIterator[Connection]:
    async with connected() as connection:
        yield connection


async def said(client: Connection, *parts: bytes) -> bytes:
    """The first line of the answer to what is sent."""
    reader, writer = client
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await asyncio.wait_for(reader.readline(), 5)
    except ConnectionError:
        return b""


@pytest.mark.parametrize(
    ("begin", "piece"),
    [
        (b"GET / HTTP/1.1\r\nX: ", b"a" * 8192),
        (b"GET / HTTP/1.1\r\n", b"X: a\r\n" * 1000),
        (b"GET /", b"a" * 8192),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: ", b"a" * 8192),
    ],
)
async def test_a_head_that_does_not_end_is_refused(client: Connection, begin: bytes, piece: bytes) -> None:
    line = await said(client, begin, *[piece] * (4 * LONGEST_HEAD // len(piece)))
    assert line in (b"HTTP/1.1 400 Bad Request\r\n", b"")
    assert await asyncio.wait_for(_rest(client), 5)


async def _rest(client: Connection) -> bool:
    """True once the server has hung up."""
    with contextlib.suppress(ConnectionError):
        await client[0].read()
    return client[0].at_eof() or client[0].exception() is not None


async def test_bodies_have_other_limits(client: Connection) -> None:
    size = 4 * LONGEST_HEAD
    head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size
    assert await said(client, head, b"a" * size) == b"HTTP/1.1 200 OK\r\n"
    while await client[0].readline() != b"\r\n":
        pass
    assert await client[0].readexactly(len(str(size))) == str(size).encode()
    chunks = b"1\r\na\r\n" * LONGEST_HEAD + b"0\r\n\r\n"
    head = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert await said(client, head, chunks) == b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("begin", [b"", b"GET / HTTP/1.1\r\nHos", b"GET / HTTP/1.1\r\n\r\nGE"])
async def test_half_a_head_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, begin: bytes) -> None:
    monkeypatch.setattr(protocol, "HEAD_WITHIN", 0.2)
    async with connected() as (reader, writer):
        writer.write(begin)
        await asyncio.wait_for(reader.read(), 3)
