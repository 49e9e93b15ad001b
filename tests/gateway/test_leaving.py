"""Clients that leave: whatever they leave in the middle of, the upstream is closed within a second."""

import asyncio
import json
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from db.database import Database
from tests.fakes.llm import FAULTS, FakeLLM, Healthy
from tests.gateway.conftest import HELLO, Site, seed, serving


def request_of(site: Site, *, length: int | None = None, **more: object) -> bytes:
    body = json.dumps({"model": "main", "messages": HELLO, **more}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {site.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n"
    )
    return head.encode() + body


async def connected(site: Site) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(site.url)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def settled(before: int) -> None:
    """Until no more tasks run than before."""
    async with asyncio.timeout(1.5):
        while len(asyncio.all_tasks()) > before:
            await asyncio.sleep(0.02)


async def until_asked(site: Site) -> None:
    async with asyncio.timeout(5):
        while not site.vendor.requests:
            await asyncio.sleep(0.01)


async def test_before_the_body_is_whole(site: Site) -> None:
    await site.ask()
    await site.usage(1)
    site.vendor.forget()
    before = len(asyncio.all_tasks())
    _, writer = await connected(site)
    writer.write(request_of(site, length=5000))
    await asyncio.sleep(0.1)
    writer.close()
    await settled(before)
    assert site.vendor.requests == []


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("when", ["headers", "first token"])
async def test_before_the_first_token(site: Site, stream: bool, when: str) -> None:
    await site.ask()
    await site.usage(1)
    site.vendor.forget()
    site.vendor.script("model-a", FAULTS["hang_headers"] if when == "headers" else Healthy(first=30))
    if when == "first token" and not stream:
        site.vendor.script("model-a", FAULTS["hang"])
    before = len(asyncio.all_tasks())
    _, writer = await connected(site)
    writer.write(request_of(site, stream=stream))
    await until_asked(site)
    await asyncio.sleep(0.05)
    left = time.monotonic()
    writer.close()
    await site.vendor.wait_disconnect(1.0)
    assert time.monotonic() - left < 1.0
    await settled(before)
    rows = await site.usage(2)
    assert (rows[1].outcome, rows[1].source) == ("cancelled", "api")
    assert (await site.ask("two:model-b")).status == 200


@pytest.mark.parametrize("stream", [True, False])
async def test_in_the_middle(site: Site, stream: bool) -> None:
    await site.ask()
    await site.usage(1)
    site.vendor.forget()
    site.vendor.script("model-a", Healthy("a " * 500, chunks=500, delay=0.02), Healthy("well"))
    before = len(asyncio.all_tasks())
    reader, writer = await connected(site)
    writer.write(request_of(site, stream=stream))
    if stream:
        await reader.readuntil(b'"content":"a')
    else:
        await until_asked(site)
        await asyncio.sleep(0.1)
    left = time.monotonic()
    writer.close()
    await site.vendor.wait_disconnect(1.0)
    assert time.monotonic() - left < 1.0
    await settled(before)
    rows = await site.usage(2)
    assert rows[1].outcome == "cancelled" and rows[1].estimated and rows[1].input_tokens
    answer = await site.ask()
    assert answer.status == 200 and answer.json["choices"][0]["message"]["content"] == "well"


async def test_in_the_middle_of_several_choices(site: Site) -> None:
    site.vendor.script("model-a", Healthy("a " * 500, chunks=500, delay=0.02))
    await site.client.get(site.url + "/health")
    before = len(asyncio.all_tasks())
    reader, writer = await connected(site)
    writer.write(request_of(site, stream=True, n=3))
    await reader.readuntil(b'"content":"a')
    writer.close()
    await settled(before)
    assert [row.outcome for row in await site.usage(3)] == ["cancelled"] * 3
    assert len(site.vendor.disconnects) == 3


async def test_a_client_that_reads_nothing_holds_nothing_for_long(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admin.gateway.outlet.STUCK", 0.3)
    monkeypatch.setattr("admin.gateway.outlet.LOOK_EVERY", 0.1)
    site.vendor.script("model-a", Healthy("a" * 1_900_000, chunks=1900))
    parts = urlsplit(site.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1024)
    writer.write(request_of(site, stream=True, n=8))
    rows = await site.usage(8)
    assert {row.outcome for row in rows} == {"cancelled"}
    writer.close()
    del reader


async def test_a_quiet_stream_says_that_it_is_alive(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("admin.gateway.outlet.QUIET", 0.05)
    monkeypatch.setattr("admin.gateway.outlet.LOOK_EVERY", 0.1)
    site.vendor.script("model-a", Healthy("abc", chunks=3, delay=0.4))
    answer = await site.ask(stream=True)
    assert answer.text == "abc" and answer.events[-1] == "[DONE]"
    assert answer.body.count(b": keep-alive\n\n") >= 3
    assert not answer.body.startswith(b":")


async def test_what_was_used_is_written_before_the_process_ends(
    sqlite_url: str, tmp_path: Path, vendor: FakeLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("admin.gateway.ledger.LINGER", 60.0)
    database = Database(sqlite_url)
    await seed(database, vendor.url)
    vendor.script("model-a", Healthy(), Healthy("a " * 500, chunks=500, delay=0.02))
    async with serving(database, tmp_path, vendor) as site:
        await site.ask()
        reader, writer = await connected(site)
        writer.write(request_of(site, stream=True))
        await reader.readuntil(b'"content":"a')
    assert [row.outcome for row in await site.usage(2)] == ["ok", "cancelled"]
    (key,) = await site.services.gateway_keys.all()
    assert key.last_used_at is not None
    writer.close()
    await database.close()


async def test_a_stop_while_a_client_waits_is_told(sqlite_url: str, tmp_path: Path, vendor: FakeLLM) -> None:
    database = Database(sqlite_url)
    await seed(database, vendor.url)
    vendor.script("model-a", FAULTS["hang"])
    async with serving(database, tmp_path, vendor) as site:
        reader, writer = await connected(site)
        writer.write(request_of(site))
        await until_asked(site)
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 503") and b"being restarted" in answer
    writer.close()
    await database.close()
