"""GET /api/v1/usage and what is under it."""

from typing import Any

import httpx
import pytest

from core.housekeeping import sum_up_usage
from db.base import now
from db.database import Database
from db.usage import add_usage
from db.usage_days import DAY, LATE


def row(**values: Any) -> dict[str, Any]:
    usual = {
        "provider_id": "groq", "model": "m", "outcome": "ok", "input_tokens": 10, "output_tokens": 5,
        "cost": 0.5, "total_ms": 9.0, "channel_id": "shop", "user_key": "ann", "request_id": "r1",
    }  # fmt: skip
    return {**usual, **values}


@pytest.fixture
async def used(rows: Database) -> None:
    at = now()
    attempts = [
        row(created_at=at - 5 * DAY, user_key="bob", request_id="r0", cost=2.0),
        row(created_at=at - 3, outcome="timeout", cost=None, output_tokens=None, attempt=1,
            detail={"error": "slow", "skipped": [["local:m", "images"]]}),
        row(created_at=at - 2, provider_id="openai", attempt=2),
        row(created_at=at - 1, source="api", channel_id=None, user_key=None, key_id="k", request_id="r2",
            cost=None),
    ]  # fmt: skip
    async with rows.transaction() as conn:
        await add_usage(conn, attempts)


async def test_usage_by_day_is_the_same_before_and_after_days_are_summed(
    client: httpx.AsyncClient, rows: Database, used: None
) -> None:
    before = (await client.get("/usage")).json()
    wanted = {"answers": 3, "failed": 1, "unpriced": 1, "cost": 2.5, "output_tokens": 15}
    assert wanted.items() <= before["total"].items()
    assert len(before["items"]) == 4 and len({one["day"] for one in before["items"]}) == 2
    assert await sum_up_usage(rows, now() - 3 * DAY + LATE) == 1
    assert (await client.get("/usage")).json() == before
    only = (await client.get("/usage", params={"source": "api"})).json()
    assert [one["key_id"] for one in only["items"]] == ["k"]
    late = (await client.get("/usage", params={"since": now() - DAY / 2})).json()
    assert late["total"]["cost"] == 0.5


async def test_usage_of_people(client: httpx.AsyncClient, used: None) -> None:
    people = (await client.get("/usage/users")).json()
    assert [(one["user_key"], one["answers"], one["cost"]) for one in people] == [
        ("bob", 1, 2.0), ("ann", 1, 0.5),
    ]  # fmt: skip


async def test_attempts_are_listed_and_explained(client: httpx.AsyncClient, used: None) -> None:
    page = (await client.get("/usage/attempts", params={"limit": 2})).json()
    assert [one["source"] for one in page["items"]] == ["api", "chat"] and page["next"]
    rest = (await client.get("/usage/attempts", params={"before": page["next"]})).json()
    assert [one["outcome"] for one in rest["items"]] == ["timeout", "ok"] and rest["next"] is None
    (fallback,) = (await client.get("/usage/attempts", params={"outcome": "fallback"})).json()["items"]
    story = (await client.get(f"/usage/attempts/{fallback['id']}")).json()
    assert [one["outcome"] for one in story] == ["timeout", "ok"]
    assert story[0]["detail"]["skipped"] == [["local:m", "images"]]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/usage?since=nan", 422), ("/usage/attempts?outcome=x", 422), ("/usage/attempts/none", 404),
     ("/usage?source=%00", 422), ("/usage/users?limit=0", 422)],
)  # fmt: skip
async def test_bad_questions_get_an_error(client: httpx.AsyncClient, path: str, status: int) -> None:
    answer = await client.get(path)
    assert answer.status_code == status and answer.json()["error"]["message"]
