"""Everything that can be set, over HTTP."""

from typing import Any

import httpx
import pytest

from db import channels, providers
from db.database import Database
from tests.api.conftest import Supervisor
from tests.core.configuration_fixtures import OTHER_TOKEN, TOKEN

Answer = tuple[int, Any]


async def ask(client: httpx.AsyncClient, method: str, path: str, body: Any = None) -> Answer:
    answer = await client.request(method, path, json=body)
    return answer.status_code, answer.json() if answer.content else None


async def test_a_bot_from_beginning_to_end(
    client: httpx.AsyncClient, rows: Database, supervisor: Supervisor
) -> None:
    status, bot = await ask(client, "POST", "/bots", {"id": "shop", "token": TOKEN, "name": "Shop"})
    assert (status, bot["id"], bot["enabled"], bot["token_hint"]) == (201, "shop", True, "123456789")
    assert supervisor.woken == [("config", None)]
    assert await ask(client, "POST", "/bots", {"id": "shop", "token": OTHER_TOKEN}) == (
        409,
        {
            "error": {
                "code": "taken",
                "message": "There is already the bot shop: choose another id.",
                "field_errors": [],
            }
        },
    )
    assert (await ask(client, "POST", "/bots/shop/stop"))[1]["enabled"] is False
    assert (await ask(client, "POST", "/bots/shop/start"))[1]["enabled"] is True
    status, bot = await ask(
        client, "PUT", "/bots/shop", {"name": "Store", "token": TOKEN, "api_base": "http://127.0.0.1:1"}
    )
    assert (status, bot["name"], bot["has_token"]) == (200, "Store", True)
    assert [one["id"] for one in (await ask(client, "GET", "/bots"))[1]] == ["shop"]
    assert await ask(client, "DELETE", "/bots/shop") == (204, None)
    assert (await ask(client, "GET", "/bots/shop"))[0] == 404
    async with rows.reading() as conn:
        assert await channels.all_channels(conn) == []


async def test_a_parked_instance_is_tried_again(client: httpx.AsyncClient, supervisor: Supervisor) -> None:
    bot = (await ask(client, "POST", "/bots", {"id": "shop", "token": TOKEN}))[1]
    widget = (await ask(client, "POST", "/widgets", {"id": "site"}))[1]
    supervisor.channels = {
        bot["channel_id"]: {"state": "PARKED"}, widget["channel_id"]: {"state": "READY"},
    }  # fmt: skip
    await ask(client, "POST", "/bots/shop/start")
    await ask(client, "POST", "/widgets/site/start")
    assert supervisor.restarted == [bot["channel_id"]]


async def test_a_widget(client: httpx.AsyncClient) -> None:
    status, widget = await ask(client, "POST", "/widgets", {"id": "site", "origins": ["https://A.example/"]})
    assert (status, widget["origins"]) == (201, ["https://a.example"])
    status, error = await ask(client, "PUT", "/widgets/site", {"origins": ["https://a.example/x", "a"]})
    assert status == 422
    assert [one["field"] for one in error["error"]["field_errors"]] == ["origins[0]", "origins[1]"]
    assert (await ask(client, "POST", "/widgets/site/stop"))[1]["enabled"] is False
    assert await ask(client, "DELETE", "/widgets/site") == (204, None)


async def test_what_the_file_manages(client: httpx.AsyncClient, rows: Database) -> None:
    bot = (await ask(client, "POST", "/bots", {"id": "shop", "token": TOKEN}))[1]
    async with rows.transaction() as conn:
        await channels.change_channel(conn, bot["channel_id"], managed="file")
    for method, body in (("PUT", {}), ("DELETE", None)):
        status, error = await ask(client, method, "/bots/shop", body)
        assert (status, error["error"]["code"]) == (409, "managed_by_file")


async def test_providers_routes_and_characters(client: httpx.AsyncClient, rows: Database) -> None:
    keys = ["sk-aaaaaaaaaaaa"]
    status, provider = await ask(client, "POST", "/providers", {"id": "main", "kind": "openai", "keys": keys})
    assert (status, provider["keys"][0]["hint"]) == (201, "aaaa")
    status, key = await ask(client, "POST", "/providers/main/keys", {"key": "sk-bbbbbbbbbbbb"})
    assert (status, key["hint"]) == (201, "bbbb")
    assert (await ask(client, "DELETE", f"/providers/main/keys/{provider['keys'][0]['id']}"))[0] == 204
    assert (await ask(client, "DELETE", "/providers/main/keys/none"))[0] == 404
    async with rows.reading() as conn:
        assert [row.hint for row in await providers.keys_of(conn)] == ["bbbb"]
    assert (await ask(client, "PUT", "/providers/main", {"kind": "none"}))[0] == 422
    status, error = await ask(client, "PUT", "/providers/main", {"kind": "groq"})
    assert (status, error["error"]["field_errors"][0]["field"]) == (422, "keys")  # they stay where they were
    moved = {"kind": "groq", "keys": ["sk-cccccccccccc"]}
    assert (await ask(client, "PUT", "/providers/main", moved))[1]["kind"] == "groq"
    near = {"kind": "groq", "media_poll": 2, "result_hosts": ["Store.lan:9000"]}
    shown = (await ask(client, "PUT", "/providers/main", near))[1]
    assert (shown["media_poll"], shown["result_hosts"], shown["location"]) == (2, ["store.lan:9000"], None)
    route = {"id": "r", "candidates": ["main:auto", "knowledge"]}
    assert (await ask(client, "POST", "/routes", route))[0] == 201
    assert (await ask(client, "DELETE", "/providers/main"))[1]["error"]["code"] == "in_use"
    assert (await ask(client, "POST", "/characters", {"id": "anna", "greeting": "Hi"}))[0] == 201
    bot = {"id": "shop", "token": TOKEN, "route": "r", "character": "anna"}
    assert (await ask(client, "POST", "/bots", bot))[0] == 201
    for path in ("/routes/r", "/characters/anna"):
        assert (await ask(client, "DELETE", path))[0] == 409
    assert (await ask(client, "PUT", "/characters/anna", {"rating": "adult"}))[1]["greeting"] == ""
    assert (await ask(client, "PUT", "/routes/r", {"candidates": ["knowledge"]}))[0] == 200
    assert (await ask(client, "DELETE", "/bots/shop"))[0] == 204
    for path in ("/routes/r", "/characters/anna", "/providers/main"):
        assert (await ask(client, "DELETE", path))[0] == 204
        assert (await ask(client, "GET", path))[0] == 404
    for path in ("/routes", "/characters", "/providers"):
        assert await ask(client, "GET", path) == (200, [])


async def test_knowledge(client: httpx.AsyncClient) -> None:
    assert (await ask(client, "POST", "/knowledge-bases", {"id": "tea"}))[0] == 201
    bad = {"question": "(a", "answer": "b", "match": "regex"}
    status, error = await ask(client, "POST", "/knowledge-bases/tea/faq", bad)
    assert (status, error["error"]["field_errors"][0]["field"]) == (422, "question")
    status, faq = await ask(
        client, "POST", "/knowledge-bases/tea/faq", {"question": "When?", "answer": "At 9."}
    )
    assert status == 201
    changed = await ask(client, "PUT", f"/faq/{faq['id']}", {"question": "When?", "answer": "At 10."})
    assert changed[1]["answer"] == "At 10."
    text = {"name": "tea.md", "text": "# Tea\n\nIt is served at five."}
    status, document = await ask(client, "POST", "/knowledge-bases/tea/documents/text", text)
    assert (status, document["mime"]) == (201, "text/markdown")
    file = {"file": ("notes.txt", b"Milk goes in second.", "text/plain")}
    uploaded = await client.post("/knowledge-bases/tea/documents", files=file)
    assert (uploaded.status_code, uploaded.json()["name"]) == (201, "notes.txt")
    names = [one["name"] for one in (await ask(client, "GET", "/knowledge-bases/tea/documents"))[1]]
    assert names == ["tea.md", "notes.txt"]
    assert "served at five" in (await ask(client, "GET", f"/documents/{document['id']}/text"))[1]["text"]
    assert (await ask(client, "GET", "/knowledge-bases/tea"))[1]["documents"] == 2
    assert (await ask(client, "GET", f"/faq/{faq['id']}"))[0] == 200
    assert len((await ask(client, "GET", "/knowledge-bases/tea/faq"))[1]) == 1
    assert (await ask(client, "PUT", "/knowledge-bases/tea", {"name": "Tea"}))[1]["name"] == "Tea"
    for path in (f"/faq/{faq['id']}", f"/documents/{document['id']}", "/knowledge-bases/tea"):
        assert (await ask(client, "DELETE", path))[0] == 204
        assert (await ask(client, "DELETE", path))[0] == 404


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("a.pdf", b"no pdf at all", 422),
        ("a.exe", b"MZ\x90\x00", 422),
        ("a.txt", b"", 422),
        ("../../etc/passwd.txt", b"text", 201),
        ("a.txt", b"x" * ((20 << 20) + 5), 422),
        ("a.txt", b"x" * (22 << 20), 413),
    ],
)
async def test_documents_that_are_refused(
    client: httpx.AsyncClient, name: str, data: bytes, status: int
) -> None:
    await ask(client, "POST", "/knowledge-bases", {"id": "tea"})
    answer = await client.post("/knowledge-bases/tea/documents", files={"file": (name, data)})
    assert answer.status_code == status, answer.text
    if status == 201:
        assert answer.json()["name"] == "passwd.txt"
    else:
        assert answer.json()["error"]["message"]


async def test_uploads_without_a_file(client: httpx.AsyncClient) -> None:
    await ask(client, "POST", "/knowledge-bases", {"id": "tea"})
    path = "/knowledge-bases/tea/documents"
    for answer in (
        await client.post(path, files={"other": ("a.txt", b"x")}),
        await client.post(path, json={}),
        await client.post(path, content=b"x", headers={"content-type": "multipart/form-data; boundary=b"}),
        await client.post(path, content=b"x", headers={"content-type": "multipart/form-data"}),
    ):
        assert answer.status_code in (400, 422) and answer.json()["error"]["code"]


async def test_nothing_is_stored_while_the_supervisor_is_away(
    client: httpx.AsyncClient, supervisor: Supervisor
) -> None:
    supervisor.away = True
    status, error = await ask(client, "POST", "/bots", {"id": "shop", "token": TOKEN})
    assert (status, error["error"]["code"]) == (503, "no_supervisor")
    assert await ask(client, "GET", "/bots") == (200, [])
    assert (await ask(client, "GET", "/status"))[0] == 503
