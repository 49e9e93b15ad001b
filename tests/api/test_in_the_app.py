"""The API inside the whole web application, whose own error pages must not get in its way."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from admin.app import create_app
from tests.api.conftest import ADMIN, Supervisor


@pytest.fixture
async def whole(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(app.state.services), raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {ADMIN}"}
    base = "http://botyard.test"
    async with httpx.AsyncClient(transport=transport, base_url=base, headers=headers) as client:
        yield client


async def test_errors_keep_their_shape(whole: httpx.AsyncClient, supervisor: Supervisor) -> None:
    supervisor.channels = {"x": None}  # type: ignore[dict-item]  # what no supervisor says
    found = {
        (await whole.get(path)).status_code: (await whole.get(path)).json()["error"]["code"]
        for path in ("/api/v1/none", "/api/v1/bots/none", "/api/v1/conversations?limit=0")
    }
    assert found == {404: "not_found", 422: "invalid"}
    assert (await whole.patch("/api/v1/bots")).json()["error"]["code"] == "no_such_method"
    answer = await whole.get("/api/v1/status")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "broken")
    assert "Traceback" not in answer.text


async def test_the_rest_is_there_too(whole: httpx.AsyncClient) -> None:
    assert (await whole.post("/api/v1/bots", json={"id": "a"})).status_code == 201
    for path in ("/health", "/ready", "/openapi.json"):
        assert (await whole.get(path)).status_code == 200
    paths = (await whole.get("/openapi.json")).json()["paths"]
    assert {path for path in paths if not path.startswith("/api/v1/")} == {"/health", "/ready", "/metrics"}
