"""Limits over REST."""

import httpx
import pytest

from core.limits.limits import Limits
from core.limits.payer import Payer
from core.limits.rule import rules_of
from core.routing.spec import RouteSpec
from db.database import Database
from db.limits import all_limits
from db.settings import CONFIG_VERSION, get_setting
from providers.types import ChatRequest

DAILY = {"subject_kind": "user", "measure": "messages", "amount": 3, "period": "day"}


async def version(rows: Database) -> int:
    async with rows.reading() as conn:
        return int(await get_setting(conn, CONFIG_VERSION, 0))


async def test_limits_are_made_changed_used_and_deleted(client: httpx.AsyncClient, rows: Database) -> None:
    before = await version(rows)
    made = await client.post("/limits", json={**DAILY, "name": "fair use"})
    assert made.status_code == 201 and made.json()["action"] == "free" and made.json()["uses"] == []
    assert await version(rows) > before
    async with rows.reading() as conn:
        rules = rules_of(await all_limits(conn))
    limits = Limits(rows)
    grant = await limits.begin(Payer("chat", "c", "c/1", "ann"), rules, RouteSpec(), ChatRequest(()))
    await limits.settle(grant, [{"provider_id": "p", "outcome": "ok"}])
    (listed,) = (await client.get("/limits")).json()
    assert [(use["subject"], use["used"]) for use in listed["uses"]] == [("c/ann", 1.0)]
    path = f"/limits/{listed['id']}"
    changed = await client.put(path, json={**DAILY, "amount": 5, "action": "stop", "enabled": False})
    assert changed.json()["amount"] == 5 and changed.json()["uses"]
    async with rows.reading() as conn:
        assert rules_of(await all_limits(conn)) == ()
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404 and (await client.delete(path)).status_code == 404


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"amount": -1}, "amount"), ({"amount": "NaN"}, "amount"), ({"measure": "kisses"}, "measure"),
        ({"subject_kind": "provider", "subject": "nobody"}, "subject"),
        ({"subject_kind": "all", "subject": "x"}, "subject"),
        ({"subject_kind": "instance", "subject": "x"}, "subject"),
        ({"subject_kind": "key", "subject": "x"}, "subject"), ({"period": "year"}, "period"),
    ],
)  # fmt: skip
async def test_wrong_limits_are_refused(
    client: httpx.AsyncClient, wrong: dict[str, object], field: str
) -> None:
    answer = await client.post("/limits", json={**DAILY, **wrong}, headers={"accept-language": "ru"})
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["error"]["field_errors"]] == [field]
