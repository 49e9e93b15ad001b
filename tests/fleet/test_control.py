"""The control socket: what it answers, whom it refuses, and lines that mean harm."""

import asyncio
import json
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from core.fleet.control import Control, ControlError, ControlUnavailable
from core.fleet.control_server import ControlServer, Refused
from core.provider_secrets import ProviderSecrets
from tests.fleet.conftest import Yard


async def _echo(request: dict[str, Any]) -> dict[str, Any]:
    return {"got": request.get("text")}


async def _refuse(_request: dict[str, Any]) -> dict[str, Any]:
    raise Refused("not today")


async def _break(_request: dict[str, Any]) -> dict[str, Any]:
    raise RuntimeError("the secret sk-1234567890abcdefghij")


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ControlServer]:
    """A control server with three operations."""
    server = ControlServer(tmp_path / "c.sock", {"echo": _echo, "refuse": _refuse, "break": _break})
    server.open()
    yield server
    server.close()


@pytest.fixture
async def client(server: ControlServer) -> AsyncIterator[Control]:
    """A connected client."""
    client = await Control.connect(server.path, timeout=2)
    yield client
    await client.close()


def test_the_socket_is_for_its_owner_only(server: ControlServer) -> None:
    assert stat.S_IMODE(os.stat(server.path).st_mode) == 0o600


async def test_requests_run_side_by_side(client: Control) -> None:
    replies = await asyncio.gather(*(client.request("echo", text=number) for number in range(50)))
    assert [reply["got"] for reply in replies] == list(range(50))


async def test_any_text_comes_through(client: Control) -> None:
    for text in ("a\nb", "\ud800 alone", "ё" * 20_000, "\x00"):
        assert (await client.request("echo", text=text))["got"] == text


@pytest.mark.parametrize("op, words", [("refuse", "not today"), ("nothing", "unknown"), ("break", "failed")])
async def test_errors_come_back_without_insides(client: Control, op: str, words: str) -> None:
    with pytest.raises(ControlError, match=words) as caught:
        await client.request(op)
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [b"no json", b"[]", b"1", b"{", b'{"op": {}}', b'{"op": null, "id": []}', b"\xff\xfe", b"[" * 100_000],
)
async def test_a_bad_line_is_answered_and_the_next_one_served(server: ControlServer, line: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(str(server.path))
    writer.write(line + b'\n\n{"id": 7, "op": "echo", "text": "x"}\n')
    assert "error" in json.loads(await reader.readline())
    assert json.loads(await reader.readline()) == {"id": 7, "result": {"got": "x"}}
    writer.close()
    await writer.wait_closed()


async def test_an_endless_line_ends_the_connection(server: ControlServer, client: Control) -> None:
    reader, writer = await asyncio.open_unix_connection(str(server.path))
    with pytest.raises((ConnectionError, EOFError)):
        for _ in range(100):
            writer.write(b"x" * 65536)
            await writer.drain()
        await reader.readexactly(1)
    writer.close()
    assert (await client.request("echo", text=1))["got"] == 1


async def test_a_watcher_that_does_not_read_stops_nobody(server: ControlServer, client: Control) -> None:
    _, writer = await asyncio.open_unix_connection(str(server.path))
    writer.write(b'{"id": 1, "op": "events"}\n')
    events = client.events()
    first = asyncio.ensure_future(anext(events))
    assert (await client.request("echo", text=1))["got"] == 1
    for number in range(3000):
        server.publish({"topic": "log", "line": "x" * 1000, "number": number})
    assert (await asyncio.wait_for(first, 2))["number"] == 0
    await events.aclose()  # type: ignore[attr-defined]
    writer.close()


async def test_the_client_finds_a_server_that_came_back(server: ControlServer, client: Control) -> None:
    events = client.events()
    first = asyncio.ensure_future(anext(events))
    assert await client.request("echo")
    server.close()
    with pytest.raises(ControlUnavailable):
        await Control(server.path, timeout=0.1).request("echo")
    server.open()
    assert (await client.request("echo", text=2))["got"] == 2
    assert await asyncio.wait_for(first, 2) == {"topic": "config"}
    await events.aclose()  # type: ignore[attr-defined]


async def test_a_wake_up_without_an_orchestrator_is_no_error(tmp_path: Path) -> None:
    assert await Control(tmp_path / "none", timeout=0.05).wake() is False


async def test_secrets_are_sealed_for_their_place_only(yard: Yard, control: Control) -> None:
    aad = "channel.secret.0198a000-0000-7000-8000-000000000001"
    sealed = await control.seal(aad, "the-token")
    assert yard.vault.open(sealed, aad) == "the-token"
    for place, text in (("setting.x", "a"), (aad + "/..", "a"), (aad, "x" * 20_000), (aad, "\ud800")):
        with pytest.raises(ControlError):
            await control.seal(place, text)
    assert await control.provider_secrets("none") == ProviderSecrets()


@pytest.mark.parametrize(
    "request_",
    [
        {"op": "logs", "channel_id": 7},
        {"op": "logs", "channel_id": "x", "after": "y"},
        {"op": "wake", "what": "rm"},
        {"op": "wake", "channel_id": []},
        {"op": "restart", "channel_id": {"a": 1}},
        {"op": "provider_secrets"},
        {"op": "seal", "aad": 1, "text": 2},
    ],
)
async def test_wrong_arguments_are_refused(control: Control, request_: dict[str, Any]) -> None:
    with pytest.raises(ControlError):
        await control.request(**request_)
