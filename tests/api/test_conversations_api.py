"""Conversations, logs, status, tokens and the test of a provider."""

import httpx
import pytest
from aiohttp import web

from core.api_tokens import first_token
from db import conversations, operators, outbox
from db.database import Database
from tests.api.conftest import ADMIN, Supervisor
from tests.core.configuration_fixtures import TOKEN


@pytest.fixture
async def channel_id(client: httpx.AsyncClient) -> str:
    return str((await client.post("/bots", json={"id": "shop", "token": TOKEN})).json()["channel_id"])


@pytest.fixture
async def conversation_id(rows: Database, channel_id: str) -> str:
    async with rows.transaction() as conn:
        made = await conversations.add_conversation(
            conn,
            channel_id=channel_id,
            chat_key="7",
            title="Ann",
            language="ru",
            messages=0,
            closed_reason="",
        )
        said = [
            {"id": f"m{i}", "role": "user", "text": f"text {i}", "created_at": 5.0 + i // 2} for i in range(7)
        ]
        await conversations.add_messages(conn, made, said)
    return made


async def test_paging_gives_every_message_once(client: httpx.AsyncClient, conversation_id: str) -> None:
    seen: list[str] = []
    query = ""
    while True:
        page = (await client.get(f"/conversations/{conversation_id}/messages?limit=3{query}")).json()
        seen = [one["id"] for one in page["items"]] + seen
        if page["next"] is None:
            break
        query = f"&before={page['next']}"
    assert seen == [f"m{i}" for i in range(7)]


async def test_conversations_are_listed(
    client: httpx.AsyncClient, conversation_id: str, channel_id: str
) -> None:
    page = (await client.get(f"/conversations?channel_id={channel_id}")).json()
    assert [(one["id"], one["messages"], one["title"]) for one in page["items"]] == [
        (conversation_id, 7, "Ann")
    ]
    assert (await client.get("/conversations?channel_id=other")).json()["items"] == []
    assert (await client.get(f"/conversations/{conversation_id}")).json()["chat_key"] == "7"
    page = (await client.get("/conversations?limit=1")).json()
    assert (await client.get(f"/conversations?before={page['next']}")).json() == {"items": [], "next": None}


async def test_an_operator_speaks(
    client: httpx.AsyncClient, rows: Database, supervisor: Supervisor, conversation_id: str, channel_id: str
) -> None:
    supervisor.woken.clear()
    answer = await client.post(f"/conversations/{conversation_id}/messages", json={"text": "Hello from us"})
    assert (answer.status_code, answer.json()["source"]) == (202, "operator")
    async with rows.reading() as conn:
        waiting = await outbox.pending(conn, channel_id)
        stored = (await conversations.last_messages(conn, conversation_id, 1))[0]
    assert [(row.chat_key, row.payload["text"], row.message_id) for row in waiting] == [
        ("7", "Hello from us", answer.json()["id"])
    ]
    assert (stored.text, stored.role) == ("Hello from us", "assistant")
    assert supervisor.woken == [("outbox", channel_id)]
    async with rows.transaction() as conn:
        await conversations.close_conversation(conn, channel_id, "7", "new")
    answer = await client.post(f"/conversations/{conversation_id}/messages", json={"text": "Too late"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conversation_closed")
    for body in ({"text": ""}, {"text": "x" * 20_001}, {"text": "\x00"}, {}):
        assert (await client.post(f"/conversations/{conversation_id}/messages", json=body)).status_code == 422
    assert (await client.post("/conversations/none/messages", json={"text": "a"})).status_code == 404


async def test_logs_and_status(client: httpx.AsyncClient, supervisor: Supervisor, channel_id: str) -> None:
    supervisor.lines[channel_id] = [
        {"id": i, "at": 1.0, "level": "INFO", "text": f"line {i}"} for i in (1, 2)
    ]
    assert [line["id"] for line in (await client.get("/bots/shop/logs")).json()] == [1, 2]
    assert [line["text"] for line in (await client.get("/bots/shop/logs?after=1")).json()] == ["line 2"]
    assert (await client.get("/bots/none/logs")).status_code == 404
    assert (await client.get("/status")).json()["components"]["web"] == {"pss_kb": 1000}


async def test_tokens(client: httpx.AsyncClient, anonymous: httpx.AsyncClient, rows: Database) -> None:
    made = (await client.post("/tokens", json={"name": "ci"})).json()
    token, details = made["token"], made["details"]
    listed = await client.get("/tokens")
    assert listed.json() == [details] and token not in listed.text
    headers = {"authorization": f"Bearer {token}"}
    assert (await anonymous.get("/api/v1/bots", headers=headers)).status_code == 200
    await anonymous.post("/api/v1/characters", json={"id": "a"}, headers=headers)
    async with rows.reading() as conn:
        assert (await operators.recent_audit(conn))[0].actor == "token ci"
    assert (await client.delete(f"/tokens/{details['id']}")).status_code == 204
    assert (await client.delete(f"/tokens/{details['id']}")).status_code == 404
    assert (await anonymous.get("/api/v1/bots", headers=headers)).status_code == 401


async def test_the_first_token_is_made_once(rows: Database, anonymous: httpx.AsyncClient) -> None:
    assert await first_token(rows, ADMIN) is None
    token = await first_token(rows)
    assert token and await first_token(rows) is None
    answer = await anonymous.get("/api/v1/bots", headers={"authorization": f"bearer  {token} "})
    assert answer.status_code == 200


async def test_a_provider_is_asked_with_each_key(client: httpx.AsyncClient, supervisor: Supervisor) -> None:
    async def models(request: web.Request) -> web.Response:
        if request.headers.get("authorization") != "Bearer sk-goodgoodgood":
            return web.json_response({"error": {"message": "bad key"}}, status=401)
        return web.json_response({"data": [{"id": "small"}, {"id": "big"}]})

    upstream = web.Application()
    upstream.router.add_get("/v1/models", models)
    runner = web.AppRunner(upstream)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        keys = ["sk-goodgoodgood", "sk-badbadbadbad"]
        new = {
            "id": "p",
            "kind": "openai-compatible",
            "base_url": f"http://127.0.0.1:{port}/v1",
            "keys": keys,
        }
        assert (await client.post("/providers", json=new)).status_code == 201
        supervisor.keys["p"] = keys
        tests = (await client.post("/providers/p/test")).json()
    finally:
        await runner.cleanup()
    assert [(one["hint"], one["ok"], one["error"]) for one in tests] == [
        ("good", True, ""),
        ("dbad", False, "credential"),
    ]
    assert sorted(tests[0]["models"]) == ["big", "small"]
    assert (await client.post("/providers/none/test")).status_code == 404
