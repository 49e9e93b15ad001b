"""Keys of the OpenAI-compatible API, managed over REST."""

import httpx
import pytest
from fastapi import FastAPI

from core.gateway_keys import PREFIX, GatewayKeys
from db import operators
from db.database import Database


@pytest.fixture
def keys(app: FastAPI) -> GatewayKeys:
    found: GatewayKeys = app.state.services.gateway_keys
    return found


async def made(client: httpx.AsyncClient, **config: object) -> tuple[str, dict[str, object]]:
    answer = await client.post("/gateway-keys", json=config)
    assert answer.status_code == 201, answer.text
    return answer.json()["key"], answer.json()["details"]


async def test_a_key_is_shown_once(client: httpx.AsyncClient, rows: Database, keys: GatewayKeys) -> None:
    key, details = await made(client, name="shop", expires_at=2e9)
    assert key.startswith(PREFIX) and len(key) > 40
    assert details["hint"] == key[-4:] and details["models"] is True and details["routes"] == []
    listed = await client.get("/gateway-keys")
    assert key not in listed.text and [one["id"] for one in listed.json()] == [details["id"]]
    found = await keys.find(key)
    assert found is not None and found.name == "shop" and not found.expired()
    async with rows.reading() as conn:
        audit = await operators.recent_audit(conn)
    assert [(row.actor, row.action, row.target) for row in audit] == [
        ("admin token", "gateway_key.create", "shop")
    ]


async def test_a_key_of_some_routes_names_no_models_unless_told_so(client: httpx.AsyncClient) -> None:
    assert (await client.post("/routes", json={"id": "shop", "candidates": ["auto"]})).status_code == 201
    assert (await made(client, routes=["shop"]))[1]["models"] is False
    assert (await made(client, routes=["shop"], models=True))[1]["models"] is True
    refused = await client.post("/gateway-keys", json={"routes": ["shpo"]})
    assert refused.status_code == 422
    assert refused.json()["error"]["field_errors"][0] == {
        "field": "routes[0]", "code": "no_such",
        "message": "names the route shpo, which does not exist; did you mean shop?",
    }  # fmt: skip


async def test_changes_and_revocation_hold_at_once(client: httpx.AsyncClient, keys: GatewayKeys) -> None:
    key, details = await made(client, name="a")
    address = f"/gateway-keys/{details['id']}"
    assert (await keys.find(key)) is not None
    changed = await client.put(address, json={"name": "b", "enabled": False})
    assert changed.json()["name"] == "b" == (await client.get(address)).json()["name"]
    found = await keys.find(key)
    assert found is not None and not found.enabled
    assert (await client.delete(address)).status_code == 204
    assert await keys.find(key) is None
    for method in ("GET", "PUT", "DELETE"):
        assert (await client.request(method, address, json={})).status_code == 404


async def test_a_key_is_no_token_of_this_api(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    key, _ = await made(client)
    answer = await anonymous.get("/api/v1/bots", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 401


async def test_its_use_is_told_at_most_once_a_minute(
    keys: GatewayKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.touch("a")
    keys.touch("a")
    assert list(keys.uses_to_tell()) == ["a"]
    keys.touch("a")
    assert keys.uses_to_tell() == {}
    monkeypatch.setattr("core.gateway_keys.TOLD_EVERY", 0.0)
    keys.touch("a")
    assert list(keys.uses_to_tell()) == ["a"]
