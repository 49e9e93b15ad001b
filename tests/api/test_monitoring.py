"""/health, /ready and /metrics."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from tests.api.conftest import ADMIN, Supervisor


def instance(slug: str, state: str, **figures: Any) -> dict[str, Any]:
    return {"kind": "bot", "slug": slug, "state": state, "reason": "secret reason", **figures}


async def test_health(anonymous: httpx.AsyncClient, supervisor: Supervisor) -> None:
    supervisor.away = True
    assert (await anonymous.get("/health")).json() == {"status": "ok"}


async def test_ready_counts_what_should_run_and_can(
    anonymous: httpx.AsyncClient, supervisor: Supervisor
) -> None:
    supervisor.channels = {
        "1": instance("a", "READY"),
        "2": instance("b", "PARKED"),
        "3": instance("c", "STOPPED"),
    }
    answer = await anonymous.get("/ready")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True, "not_ready": [], "problems": [],
        "parked": [{"kind": "bot", "id": "b", "state": "PARKED"}],
    }  # fmt: skip
    for state in ("STARTING", "BACKOFF", "DEGRADED", "DRAINING"):
        supervisor.channels["1"]["state"] = state
        answer = await anonymous.get("/ready")
        assert answer.status_code == 503
        assert answer.json()["not_ready"] == [{"kind": "bot", "id": "a", "state": state}]
        assert "secret reason" not in answer.text


async def test_not_ready_without_a_supervisor(anonymous: httpx.AsyncClient, supervisor: Supervisor) -> None:
    supervisor.away = True
    answer = await anonymous.get("/ready")
    assert (answer.status_code, answer.json()["problems"]) == (503, ["supervisor"])


async def test_metrics_by_instance(anonymous: httpx.AsyncClient, supervisor: Supervisor) -> None:
    hostile = 'q"uo\\te\n'
    supervisor.channels = {
        "1": instance("a", "READY", restarts=2, messages_in=5, messages_out=4, errors=1, loop_lag_ms=1.5,
                      queue=3, pss_kb=9000, last_poll_age=None),
        "2": instance(hostile, "PARKED"),
    }  # fmt: skip
    answer = await anonymous.get("/metrics", headers={"authorization": f"Bearer {ADMIN}"})
    assert answer.headers["content-type"].startswith("text/plain")
    values = {
        (sample.name, sample.labels.get("id"), sample.labels.get("state")): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert values["botyard_instance_restarts_total", "a", None] == 2
    assert values["botyard_instance_messages_in_total", "a", None] == 5
    assert values["botyard_instance_loop_lag_seconds", "a", None] == 0.0015
    assert values["botyard_instance_pss_bytes", "a", None] == 9000 * 1024
    assert values["botyard_instance_state", "a", "READY"] == 1
    assert values["botyard_instance_state", hostile, "PARKED"] == 1
    assert ("botyard_instance_last_poll_seconds", "a", None) not in values


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("127.0.0.1", {"x-forwarded-for": "192.0.2.7"}, 401),
        ("192.0.2.1", {}, 401),
        ("192.0.2.1", {"x-forwarded-for": "127.0.0.1"}, 401),
        ("testclient", {}, 401),
    ],
)
async def test_who_may_read_metrics(app: FastAPI, peer: str, headers: dict[str, str], status: int) -> None:
    transport = httpx.ASGITransport(app, client=(peer, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://botyard.test") as client:
        assert (await client.get("/metrics", headers=headers)).status_code == status


async def test_metrics_without_a_supervisor(anonymous: httpx.AsyncClient, supervisor: Supervisor) -> None:
    supervisor.away = True
    answer = await anonymous.get("/metrics", headers={"authorization": f"Bearer {ADMIN}"})
    assert "botyard_supervisor_up 0.0" in answer.text
