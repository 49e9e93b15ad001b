"""GET /models and /routes/{id}/state: what is known, and who rests after a real failure."""

import time
from collections.abc import AsyncIterator
from typing import cast

import httpx
import pytest
from fastapi import FastAPI

from admin.services import Services
from tests.api.conftest import Supervisor
from tests.fakes.llm import FAULTS, FakeLLM, Healthy, fake_llm

KEY = "sk-0123456789abcdef"
OWN = [
    {"name": "good", "quality": 50, "context": 8000, "vision": True, "price_in": 1.5, "price_out": 3},
    {"name": "bad", "quality": 70},
]


@pytest.fixture
async def vendor(app: FastAPI, client: httpx.AsyncClient, supervisor: Supervisor) -> AsyncIterator[FakeLLM]:
    """A vendor with one good and one broken model, both described by the operator."""
    async with fake_llm() as llm:
        provider = {
            "id": "one",
            "kind": "openai-compatible",
            "base_url": llm.url,
            "keys": [KEY],
            "models": OWN,
        }
        made = await client.post("/providers", json=provider)
        assert made.status_code == 201, made.text
        made = await client.post("/routes", json={"id": "pair", "candidates": ["one:bad", "one:good"]})
        assert made.status_code == 201, made.text
        supervisor.keys["one"] = [KEY]
        llm.script("good", Healthy("Four words of text"))
        llm.script("bad", FAULTS["model_gone"])
        yield llm
    await cast(Services, app.state.services).router.close()


async def test_models_tell_what_is_known_and_null_for_the_rest(
    client: httpx.AsyncClient, vendor: FakeLLM
) -> None:
    answer = await client.get("/models", params={"provider": "one"})
    assert answer.status_code == 200, answer.text
    bad, good = answer.json()
    assert (bad["name"], bad["context"], bad["price_in"], bad["vision"]) == ("bad", None, None, None)
    assert (good["quality"], good["context"], good["vision"]) == (50, 8000, True)
    assert (good["price_in"], good["price_out"], good["state"]) == (1.5, 3, "healthy")
    assert (await client.get("/models", params={"provider": "two"})).json() == []
    assert (await client.get("/models", params={"vendor": "openai"})).json() == []


async def test_a_failure_shows_in_the_state_of_route_and_model(
    client: httpx.AsyncClient, vendor: FakeLLM
) -> None:
    before = (await client.get("/routes/pair/state")).json()
    assert [(one["candidate"], one["state"]) for one in before] == [
        ("one:bad", "healthy"), ("one:good", "healthy"),
    ]  # fmt: skip
    asked = await client.post("/compare", json={"prompt": "Hi", "models": ["pair"]})
    assert asked.json()["results"][0]["answered_by"] == "one:good"
    states = {one["candidate"]: one for one in (await client.get("/routes/pair/state")).json()}
    assert states["one:bad"]["state"] == "cooling"
    assert states["one:bad"]["until"] > time.time()
    assert states["one:bad"]["reason"] == "model_gone"
    assert states["one:good"]["state"] == "healthy"
    models = {one["name"]: one["state"] for one in (await client.get("/models")).json()}
    assert models == {"bad": "cooling", "good": "healthy"}


async def test_the_state_of_no_route_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get("/routes/nowhere/state")).status_code == 404
