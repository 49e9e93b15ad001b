"""Bodies and headers that nobody should send."""

import json
import random
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from db.database import Database
from tests.api.conftest import ADMIN
from tests.core.configuration_fixtures import TOKEN


@pytest.fixture
def rows(database: Database) -> Database:
    """Both databases: what one takes the other may refuse."""
    return database


async def refused(
    client: httpx.AsyncClient, path: str, content: bytes, kind: str = "application/json"
) -> tuple[int, str]:
    answer = await client.post(path, content=content, headers={"content-type": kind})
    assert "Traceback" not in answer.text
    return answer.status_code, answer.json()["error"]["code"]


BODIES = [
    (b"[" * 10_000 + b"]" * 10_000, (400, "bad_json")),
    (b'{"id":' * 10_000 + b"1" + b"}" * 10_000, (400, "bad_json")),
    (b"[" * 900 + b"]" * 900, (422, "invalid")),
    (b"{not json", (400, "bad_json")),
    (b"\xff\xfe", (400, "bad_json")),
    (b"", (422, "invalid")),
    (b"null", (422, "invalid")),
    (b"[]", (422, "invalid")),
    (b'"text"', (422, "invalid")),
    (b'{"id": NaN}', (422, "invalid")),
    (b'{"id": 1e999}', (422, "invalid")),
    (b'{"id": ' + b"9" * 5000 + b"}", (400, "bad_json")),
    (b'{"id": "\\ud800"}', (422, "invalid")),
    (b'{"id": "a", "name": "\\u0000"}', (422, "invalid")),
    (b'{"id": "a", "name": "\\ud800"}', (422, "invalid")),
    (b'{"id": "a", "unknown": 1}', (422, "invalid")),
    (b'{"id": "a", "\\ud800": 1}', (422, "invalid")),
    (b'{"id": "../../x"}', (422, "invalid")),
    (b'{"id": "a", "bases": ' + json.dumps(["b"] * 1000).encode() + b"}", (422, "invalid")),
    (b"x" * ((2 << 20) + 1), (413, "body_too_large")),
]  # fmt: skip


async def test_bodies(client: httpx.AsyncClient) -> None:
    for content, expected in BODIES:
        assert await refused(client, "/bots", content) == expected, content[:60]
    assert (await client.get("/bots")).json() == []


async def test_another_content_type(client: httpx.AsyncClient) -> None:
    assert (await refused(client, "/bots", b'{"id": "a"}', "text/plain"))[0] == 422


async def test_a_body_that_does_not_say_its_length_is_cut_off(client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield b"x" * 65_536

    answer = await client.post("/bots", content=endless(), headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert sent < 40


async def test_a_body_is_refused_by_its_length_before_it_is_read(client: httpx.AsyncClient) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("was read")
        yield b""

    headers = {"content-length": str(3 << 20), "content-type": "application/json"}
    answer = await client.post("/bots", content=never(), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["error"]["message"] == "The body is too large: at most 2 MB."


PATHS = ["/bots/%00", "/bots/%ff", "/bots/" + "a" * 5000, "/bots/%2e%2e%2fx", "/bots/a b"]


async def test_hostile_ids(client: httpx.AsyncClient) -> None:
    for path in PATHS:
        answer = await client.get(path)
        assert answer.status_code in (404, 422)
        assert answer.json()["error"]["message"]


QUERIES = [
    "limit=0",
    "limit=999999",
    "before=nan",
    "before=x",
    "limit=" + "9" * 400,
    "channel_id=%00",
    "channel_id=%ff",
    "before=-1e308",
]


async def test_hostile_queries(client: httpx.AsyncClient) -> None:
    for query in QUERIES:
        answer = await client.get(f"/conversations?{query}")
        assert answer.status_code in (200, 422)


RUSSIAN = ["ru", "ru-RU,ru;q=0.9,en;q=0.5", "de;q=1, ru;q=0.4, en;q=0.1", "xx;q=bad, ru"]


async def test_errors_in_russian(client: httpx.AsyncClient) -> None:
    for header in RUSSIAN:
        answer = await client.post(
            "/bots", json={"id": "A b", "tokn": 1}, headers={"accept-language": header}
        )
        error = answer.json()["error"]
        assert error["message"] == "Некоторые значения неверны."
        assert [(one["field"], one["code"]) for one in error["field_errors"]] == [
            ("id", "slug"),
            ("tokn", "unknown_field"),
        ]


ENGLISH = ["", "en", "de", "en, ru;q=0.9", ";;;,,=", "ru;q=0", "q" * 100_000]


async def test_errors_in_english(client: httpx.AsyncClient) -> None:
    for header in ENGLISH:
        answer = await client.get("/bots/none", headers={"accept-language": header})
        assert answer.json()["error"]["message"] == "Not found: the bot none."


async def test_a_secret_is_never_said_back(client: httpx.AsyncClient) -> None:
    answer = await client.post("/bots", json={"id": "a", "token": "123:short-secret", "name": 7})
    assert answer.status_code == 422 and "short-secret" not in answer.text
    answer = await client.post("/bots", json={"id": "a", "token": TOKEN})
    assert answer.status_code == 201 and TOKEN not in answer.text
    assert TOKEN not in (await client.get("/bots")).text
    assert ADMIN not in (await client.get("/tokens")).text


NASTY = [
    None, True, 0, -1, 1e308, 10**30, "", " ", "a", "a" * 5000, "\x00", "{x}", "${HOME}", "%s", "../x", "*.x",
    "123456789:" + "A" * 35, "https://a.example", "http://[::1", "http://a:b@c", "knowledge", "p:m", ":", "(",
    "regex", "\u202e", "'; DROP TABLE channel; --", [], {}, [[]], ["a"], ["knowledge", 1], {"a": {"b": []}},
]  # fmt: skip


async def test_no_mix_of_values_breaks_anything(client: httpx.AsyncClient, app: FastAPI) -> None:
    """A seeded walk over every operation with a body; the transport raises what the app does not answer."""
    chance = random.Random(20)
    document = app.openapi()
    schemas = document["components"]["schemas"]
    known = {
        name: list(schemas[ref.rsplit("/", 1)[-1]]["properties"])
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if (body := operation.get("requestBody", {}).get("content", {}).get("application/json"))
        and (ref := body["schema"].get("$ref"))
        and (name := f"{method} {path.removeprefix('/api/v1')}")
    }
    assert len(known) > 15
    for name, fields in known.items():
        method, path = name.split(" ")
        for _ in range(25):
            body = {field: chance.choice(NASTY) for field in fields if chance.random() < 0.8}
            address = re.sub(r"\{.*?\}", lambda _: chance.choice(["a", "p", "none"]), path)
            answer = await client.request(method, address, json=body)
            assert answer.status_code in (200, 201, 202, 404, 409, 422), (name, body, answer.text)
