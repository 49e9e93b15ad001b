"""POST /api/v1/compare against a real fake vendor."""

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from admin.services import Services
from db.database import Database
from db.usage import recent_usage
from tests.api.conftest import Supervisor
from tests.fakes.llm import FAULTS, FakeLLM, Healthy, fake_llm

KEY = "sk-0123456789abcdef"


@pytest.fixture
async def vendor(app: FastAPI, client: httpx.AsyncClient, supervisor: Supervisor) -> AsyncIterator[FakeLLM]:
    """A vendor with one good and one broken model, and a route over both."""
    async with fake_llm() as llm:
        provider = {"id": "one", "kind": "openai-compatible", "base_url": llm.url, "keys": [KEY]}
        made = await client.post("/providers", json=provider)
        assert made.status_code == 201, made.text
        made = await client.post("/routes", json={"id": "pair", "candidates": ["one:bad", "one:good"]})
        assert made.status_code == 201, made.text
        supervisor.keys["one"] = [KEY]
        llm.script("good", Healthy("Four words of text", chunks=3, thinking="Hm"))
        llm.script("bad", FAULTS["model_gone"])
        yield llm
    await cast(Services, app.state.services).router.close()


async def test_each_gets_its_answer_with_what_it_took(
    client: httpx.AsyncClient, vendor: FakeLLM, rows: Database
) -> None:
    asked = {"prompt": "Hi", "models": ["one:good", "one:bad", "pair"], "settings": {"temperature": 0.5}}
    answer = await client.post("/compare", json=asked)
    assert answer.status_code == 200, answer.text
    good, bad, pair = answer.json()["results"]
    assert (good["text"], good["reasoning"], good["words"]) == ("Four words of text", "Hm", 4)
    assert (good["state"], good["answered_by"], good["problem"]) == ("ended", "one:good", "")
    assert good["output_tokens"] == len("Four words of text")
    assert 0 < good["first_token_ms"] <= good["total_ms"]
    assert (bad["state"], bad["text"], bad["answered_by"]) == ("failed", "", None)
    assert bad["attempts"][0]["words"] == "does not have this model"
    assert bad["attempts"][0]["key"] == 1
    assert pair["answered_by"] == "one:good"
    assert {one.body["temperature"] for one in vendor.requests} == {0.5}
    async with rows.reading() as conn:
        used = await recent_usage(conn, 0)
    assert {row.source for row in used} == {"compare"}
    assert sum(row.outcome == "ok" for row in used) == 2


async def test_it_streams(client: httpx.AsyncClient, vendor: FakeLLM) -> None:
    asked = {"messages": [{"content": "Hi"}], "models": ["one:good", "one:bad"], "stream": True}
    answer = await client.post("/compare", json=asked, headers={"accept-language": "ru"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    events: list[tuple[str, dict[str, Any]]] = []
    for block in answer.text.strip().split("\n\n"):
        name, data = block.split("\n")
        events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    text = "".join(data["text"] for name, data in events if name == "text" and data["n"] == 0)
    assert text == "Four words of text"
    ends = {data["n"]: data for name, data in events if name == "end"}
    assert (ends[0]["state"], ends[1]["state"]) == ("ended", "failed")
    assert ends[1]["problem"].startswith("Никто не ответил")


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"prompt": "Hi", "models": ["one:good", "pear"]}, "models[1]"),
        ({"prompt": "Hi", "models": []}, "models"),
        ({"prompt": "Hi", "models": ["pair"] * 7}, "models"),
        ({"prompt": "Hi", "models": ["pair"], "settings": {"temperature": 9}}, "settings.temperature"),
        ({"models": ["pair"]}, ""),
        ({"prompt": "Hi", "messages": [{"content": "Hi"}], "models": ["pair"]}, ""),
        ({"prompt": "Hi", "models": ["pair"], "base_url": "http://evil.test"}, "base_url"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    client: httpx.AsyncClient, vendor: FakeLLM, asked: dict[str, Any], field: str
) -> None:
    answer = await client.post("/compare", json=asked)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["field_errors"][0]["field"] == field
    assert vendor.requests == []
