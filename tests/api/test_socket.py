"""The API behind a real server on a real socket."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from tests.api.conftest import ADMIN


@pytest.fixture
async def port(app: FastAPI) -> AsyncIterator[int]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    yield int(listener.getsockname()[1])
    server.should_exit = True
    await task


async def test_a_bot_over_a_socket(port: int) -> None:
    headers = {"authorization": f"Bearer {ADMIN}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        assert (await client.post("/api/v1/bots", json={"id": "later"})).status_code == 201
        assert [bot["id"] for bot in (await client.get("/api/v1/bots")).json()] == ["later"]
        assert (await client.get("/metrics")).status_code == 200


async def test_a_long_body_is_answered_before_it_is_sent(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"POST /api/v1/bots HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN}\r\n"
        f"content-type: application/json\r\ncontent-length: {1 << 40}\r\n\r\n"
    )
    writer.write(head.encode())
    await writer.drain()
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert answer.startswith(b"HTTP/1.1 413")
    writer.close()


async def test_without_a_token_nothing_of_the_body_is_read(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /api/v1/bots HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n")
    await writer.drain()
    assert (await asyncio.wait_for(reader.readuntil(b"\r\n"), 5)).startswith(b"HTTP/1.1 401")
    writer.close()


async def test_the_body_that_ends_early(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps({"id": "cut"})[:-3].encode()
    writer.write(
        f"POST /api/v1/bots HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {ADMIN}\r\n"
        f"content-type: application/json\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        + body
    )
    answer = await asyncio.wait_for(reader.read(), 5)
    assert answer.startswith(b"HTTP/1.1 400") and b"bad_json" in answer
    writer.close()
