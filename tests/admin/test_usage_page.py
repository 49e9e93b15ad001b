"""The usage page: sums are right, filters hold, and one attempt is explained."""

import csv
import io
import re
import time

import pytest

from db.database import Database
from db.usage import add_usage
from db.usage_charts import Wanted, attempts, slices
from tests.admin.panel import Panel

NOON = time.time() // 86400 * 86400


def row(**values: object) -> dict[str, object]:
    """An attempt of today."""
    return {
        "provider_id": "openai", "model": "m", "outcome": "ok", "created_at": NOON + 1, "input_tokens": 10,
        "output_tokens": 5, "cost": 0.5, **values,
    }  # fmt: skip


async def fill(database: Database) -> None:
    detail = {"error": "Too many", "cooled": "key-model:groq:x:m", "skipped": [["ollama:q", "resting"]]}
    rows = [
        row(),
        row(provider_id="groq", cost=None),
        row(outcome="cancelled", created_at=NOON - 86400 * 3),
        row(provider_id="groq", outcome="rate_limit", input_tokens=None, output_tokens=None, cost=None,
            request_id="r1", attempt=1, detail=detail),
        row(request_id="r1", attempt=2, model="=cmd", source="api"),
        row(created_at=NOON - 86400 * 40),
    ]  # fmt: skip
    async with database.transaction() as conn:
        await add_usage(conn, rows)


async def test_days_models_and_outcomes_are_counted(database: Database) -> None:
    await fill(database)
    async with database.reading() as conn:
        found = await slices(conn, Wanted(NOON - 86400 * 6))
        groq = await slices(conn, Wanted(NOON - 86400 * 6, provider_id="groq"))
        failed = await attempts(conn, Wanted(0, outcome="failed"))
        fallbacks = await attempts(conn, Wanted(0, outcome="fallback"))
    assert sum(one.answers for one in found) == 3
    assert sum(one.failed for one in found) == 1
    assert sum(one.cancelled for one in found) == 1
    assert sum(one.cost for one in found) == pytest.approx(1.5)
    assert len({one.day for one in found}) == 2
    assert [(one.answers, one.failed, one.unpriced) for one in groq] == [(1, 1, 1)]
    assert [one.outcome for one in failed] == ["rate_limit"]
    assert [one.model for one in fallbacks] == ["=cmd"]


async def test_the_page_says_what_it_does_not_know(owned: Panel) -> None:
    await fill(owned.database)
    page = (await owned.client.get("/usage")).text
    assert "price unknown for 1 answer" in page
    assert "$1.50" in page
    assert "takes no more requests right now" in page
    only = (await owned.client.get("/usage?provider=groq&outcome=failed")).text
    assert only.count('href="/usage/') == 1
    link = re.search(r'href="(/usage/[^"?#]+)"', only)
    assert link is not None
    answer = (await owned.client.get(link[1])).text
    assert answer.index("groq:m") < answer.index("openai:=cmd") < answer.index("ollama:q")
    assert "rests after a failure" in answer
    assert "the model rests for this key" in answer
    assert (await owned.client.get("/usage/nobody")).status_code == 404


async def test_the_table_for_other_programs(owned: Panel) -> None:
    await fill(owned.database)
    answer = await owned.client.get("/usage.csv?days=90")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert sum(float(one["cost_usd"]) for one in rows) == pytest.approx(2.0)
    assert "'=cmd" in {one["model"] for one in rows}
    assert {one["source"] for one in rows} == {"chat", "api"}
