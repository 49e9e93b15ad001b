"""The REST API of media jobs, by operators' tokens and by gateway keys, over real HTTP."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db import media, providers, settings, slugs
from providers.errors import ErrorClass, ProviderError
from tests.gateway.conftest import ADMIN
from tests.jobs import studio
from tests.mcp.site import Studio, shop  # noqa: F401

PICTURE = studio.picture()
DATA = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
HARBOUR = {"model": "images", "prompt": "a harbour"}


async def ordered(shop: Studio, **more: Any) -> Any:  # noqa: F811
    status, job = await shop.api("POST", "/media/jobs", {**HARBOUR, **more})
    assert status == 202, job
    return job


async def test_from_order_to_file(shop: Studio) -> None:  # noqa: F811
    shop.hold()
    body = {"route": "images", "prompt": "a harbour", "width": 512, "height": 256, "count": 2, "seed": 7}
    status, job = await shop.api("POST", "/media/jobs", body)
    assert status == 202
    assert (job["task"], job["route"], job["source"]) == ("text_to_image", "images", "api")
    assert job["status"] in ("waiting", "running") and job["results"] == [] and job["error"] is None
    shop.go()
    await shop.until(job["id"], "done")
    status, job = await shop.api("GET", f"/media/jobs/{job['id']}")
    assert (status, job["status"], job["progress"], job["model"]) == (200, "done", 1.0, "one:fast")
    (made,) = job["results"]
    assert (made["mime"], made["width"], made["settings"]["seed"]) == ("image/png", 32, 7)
    assert (await shop.read(made["url"])).startswith(b"\x89PNG")
    assert made["name"] == "a-harbour.png" and job["cost"] == 0.04


async def test_pictures_to_work_on(shop: Studio) -> None:  # noqa: F811
    """By their data, by an upload, and by what another job made."""
    first = await ordered(shop, inputs=[{"data": DATA}])
    assert (first["task"], first["model"]) == ("image_to_image", "")
    headers = {"Content-Type": "image/png"}
    status, kept = await shop.api("POST", "/media/uploads", PICTURE, headers=headers)
    assert (status, kept["width"], kept["mime"]) == (201, 32, "image/png") and kept["expires_at"]
    second = await ordered(shop, inputs=[{"artifact": kept["artifact"]}, {"data": DATA}])
    await shop.until(first["id"], "done")
    done = (await shop.api("GET", f"/media/jobs/{first['id']}"))[1]
    third = await ordered(shop, inputs=[{"artifact": done["results"][0]["id"]}])
    for one in (second, third):
        await shop.until(one["id"], "done")
    sent = [[file.path.name for file in request.inputs] for _, _, request in shop.one.submits]
    assert [len(files) for files in sent] == [1, 2, 1]
    other = await shop.site.make_key()
    for artifact in (kept["artifact"], done["results"][0]["id"], "none"):
        body = {**HARBOUR, "inputs": [{"artifact": artifact}]}
        status, refused = await shop.api("POST", "/media/jobs", body, other)
        assert (status, refused["error"]["field_errors"][0]["field"]) == (400, "inputs[0].artifact")
    assert (
        await shop.api("POST", "/media/jobs", body | {"inputs": [{"artifact": kept["artifact"]}]}, ADMIN)
    )[0] == 202


async def test_the_same_idempotency_key_is_the_same_job(shop: Studio) -> None:  # noqa: F811
    headers = {"Idempotency-Key": "one"}
    body = {**HARBOUR, "inputs": [{"data": DATA}]}
    asked = (shop.api("POST", "/media/jobs", body, headers=headers) for _ in range(6))
    answers = await asyncio.gather(*asked)
    assert {status for status, _ in answers} == {202} and len({job["id"] for _, job in answers}) == 1
    status, other = await shop.api("POST", "/media/jobs", HARBOUR, headers=headers)
    assert (status, other["error"]["code"]) == (409, "idempotency_key_reused")
    theirs = await shop.api("POST", "/media/jobs", HARBOUR, await shop.site.make_key(), headers=headers)
    assert theirs[0] == 202 and theirs[1]["id"] != answers[0][1]["id"]
    assert len(await shop.jobs()) == 2


async def test_events_until_the_end(shop: Studio) -> None:  # noqa: F811
    shop.hold()
    job = await ordered(shop)
    url = f"{shop.site.url}/api/v1/media/jobs/{job['id']}/events"
    seen = []
    async with shop.site.client.get(url, headers=shop.site.headers()) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for line in answer.content:
            if line.startswith(b"data: "):
                seen.append(json.loads(line[6:]))
                shop.go()
            elif line.strip():
                assert line == b"event: job\n"
    assert seen[0]["status"] in ("waiting", "running") and not seen[0]["results"]
    assert seen[-1]["status"] == "done" and seen[-1]["results"][0]["url"]
    assert [one["id"] for one in seen] == [job["id"]] * len(seen) and len(seen) >= 2


async def test_cancel_retry_and_front(shop: Studio) -> None:  # noqa: F811
    shop.one.step_seconds = 30
    running = [await ordered(shop) for _ in range(2)]
    for one in running:
        await shop.until(one["id"], "running")
    first, second = await ordered(shop), await ordered(shop)
    assert (first["position"], second["position"]) == (0, 1)
    at = f"/media/jobs/{second['id']}"
    assert (await shop.api("POST", f"{at}/front"))[0] == 403
    assert (await shop.api("POST", f"{at}/front", key=ADMIN))[1]["position"] == 0
    status, gone = await shop.api("POST", f"{at}/cancel")
    assert (status, gone["status"], gone["error"]["code"]) == (200, "cancelled", "cancelled")
    for action in ("cancel", "front"):
        status, late = await shop.api("POST", f"{at}/{action}", key=ADMIN)
        assert (status, late["error"]["code"]) == (409, "job_state")
    status, again = await shop.api("POST", f"{at}/retry")
    assert (status, again["status"], again["attempt"]) == (200, "waiting", 2)
    assert (await shop.api("POST", f"{at}/retry"))[0] == 409
    shop.one.step_seconds = 0
    for one in running:
        assert (await shop.api("POST", f"/media/jobs/{one['id']}/cancel"))[0] == 200
        await shop.until(one["id"], "cancelled")
    await shop.until(second["id"], "done")


async def test_a_key_sees_its_own_and_an_operator_all(shop: Studio) -> None:  # noqa: F811
    mine = await ordered(shop)
    other = await shop.site.make_key()
    _, theirs = await shop.api("POST", "/media/jobs", {"prompt": "waves", "model": "two:fine"}, other)
    listed = {}
    for name, key in (("mine", shop.key), ("theirs", other), ("all", ADMIN)):
        listed[name] = {one["id"] for one in (await shop.api("GET", "/media/jobs", key=key))[1]["items"]}
    assert listed == {"mine": {mine["id"]}, "theirs": {theirs["id"]}, "all": {mine["id"], theirs["id"]}}
    for method, path in (("GET", ""), ("GET", "/events"), ("POST", "/cancel"), ("POST", "/retry")):
        status, answer = await shop.api(method, f"/media/jobs/{theirs['id']}{path}")
        assert (status, answer["error"]["code"]) == (404, "not_found"), path
    await shop.until(mine["id"], "done")
    await shop.until(theirs["id"], "done")
    page = (await shop.api("GET", "/media/jobs?limit=1&status=done", key=ADMIN))[1]
    assert page["next"] == page["items"][0]["id"] == theirs["id"]
    rest = (await shop.api("GET", f"/media/jobs?older={page['next']}", key=ADMIN))[1]
    assert [one["id"] for one in rest["items"]] == [mine["id"]] and rest["next"] is None
    assert not (await shop.api("GET", "/media/jobs?makes=video", key=ADMIN))[1]["items"]


async def test_a_job_begins_at_its_time(shop: Studio) -> None:  # noqa: F811
    later = datetime.now(UTC) + timedelta(days=2)
    _, late = await shop.api("POST", "/media/jobs", {**HARBOUR, "start_at": later.isoformat()})
    assert (late["status"], late["phase"], late["position"]) == ("waiting", "scheduled", None)
    assert late["starts_at"] == pytest.approx(later.timestamp(), abs=1)
    _, soon = await shop.api("POST", "/media/jobs", {**HARBOUR, "delay": 0.4})
    assert soon["phase"] == "scheduled"
    over = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    _, at_once = await shop.api("POST", "/media/jobs", {**HARBOUR, "start_at": over})
    assert (at_once["phase"], at_once["starts_at"]) == ("waiting", None)
    row = await shop.until(soon["id"], "done")
    assert row.started_at >= soon["starts_at"]
    assert (await shop.api("GET", f"/media/jobs/{late['id']}"))[1]["phase"] == "scheduled"
    assert (await shop.api("POST", f"/media/jobs/{late['id']}/cancel"))[1]["status"] == "cancelled"


async def test_what_may_be_named(shop: Studio) -> None:  # noqa: F811
    _, all_names = await shop.api("GET", "/media/models")
    names = {one["name"]: one["tasks"] for one in all_names["items"]}
    assert names["one:fast"] == ["text_to_image", "image_to_image"] and "images" in names
    narrow = await shop.site.make_key(models=False)
    _, fewer = await shop.api("GET", "/media/models", key=narrow)
    assert all(":" not in one["name"] for one in fewer["items"])
    status, answer = await shop.api("POST", "/media/jobs", {**HARBOUR, "model": "one:fast"}, narrow)
    assert (status, answer["error"]["code"]) == (403, "model_not_allowed")


async def test_limits_hold_and_a_cancelled_job_gives_room_back(shop: Studio) -> None:  # noqa: F811
    await shop.limit()
    shop.hold()
    running = [(await shop.api("POST", "/media/jobs", HARBOUR, ADMIN))[1] for _ in range(2)]
    for one in running:
        await shop.until(one["id"], "running")
    first = await ordered(shop)
    status, over = await shop.api("POST", "/media/jobs", HARBOUR)
    assert (status, over["error"]["code"]) == (429, "limit_reached")
    await shop.api("POST", f"/media/jobs/{first['id']}/cancel")
    second = await ordered(shop)
    shop.go()
    await shop.until(second["id"], "done")
    assert (await shop.api("POST", f"/media/jobs/{first['id']}/retry"))[0] == 429


async def test_why_it_failed_is_told_to_operators_alone(shop: Studio) -> None:  # noqa: F811
    shop.one.fails = [ProviderError(ErrorClass.CONTENT, "a vendor's own words")]
    job = await ordered(shop)
    await shop.until(job["id"], "failed")
    _, shown = await shop.api("GET", f"/media/jobs/{job['id']}")
    assert shown["error"]["code"] == "content_filter" and "vendor's own" not in json.dumps(shown)
    _, shown = await shop.api("GET", f"/media/jobs/{job['id']}", key=ADMIN)
    assert shown["error"]["detail"] == "a vendor's own words"


MISTAKES: list[tuple[dict[str, Any], int, set[str] | None]] = [
    ({"width": 0, "height": 0}, 422, {"width", "height"}),
    ({"width": 100_000, "height": 64}, 422, {"width"}),
    ({"width": 2048, "height": 64}, 400, {"width"}),
    ({"count": 9}, 400, {"count"}),
    ({"prompt": "x" * 1_000_000}, 400, {"prompt"}),
    ({"prompt": ""}, 400, {"prompt"}),
    ({"prompt": "a\0b"}, 422, {"prompt"}),
    ({"prompt": "\ud800"}, 422, {"prompt"}),
    ({"params": {"style": 7}}, 400, {"style"}),
    ({"params": {"style": {"a": []}}}, 422, None),
    ({"params": {"nope": "x"}}, 400, {"nope"}),
    ({"preset": "none"}, 400, {"preset"}),
    ({"task": "text_to_video"}, 400, {"model"}),
    ({"task": "dance"}, 422, {"task"}),
    ({"delay": -1}, 422, {"delay"}),
    ({"delay": 40 * 86400}, 422, {"delay"}),
    ({"start_at": "2999-01-01T00:00:00Z"}, 400, {"start_at"}),
    ({"start_at": "2026-12-24T08:00:00"}, 422, {"start_at"}),
    ({"start_at": "tomorrow"}, 422, {"start_at"}),
    ({"start_at": "2026-12-24T08:00:00Z", "delay": 5}, 400, {"delay"}),
    ({"model": "imagse"}, 404, {"model"}),
    ({"model": "x" * 10_000}, 422, {"model"}),
    ({"inputs": [{"data": "data:image/png;base64,AAAA"}]}, 400, {"inputs[0].data"}),
    ({"inputs": [{"data": "https://example.org/a.png"}]}, 400, {"inputs[0].data"}),
    ({"inputs": [{}]}, 400, {"inputs[0]"}),
    ({"inputs": [{"artifact": "none"}]}, 400, {"inputs[0].artifact"}),
    ({"inputs": [{"data": DATA}] * 17}, 422, {"inputs"}),
    ({"seconds": 1e400}, 422, {"seconds"}),
    ({"address": "http://10.0.0.1"}, 422, {"address"}),
]


async def test_mistakes(shop: Studio) -> None:  # noqa: F811
    headers = {"Content-Type": "application/json"}
    for change, status, fields in MISTAKES:
        body = json.dumps({**HARBOUR, **change}).encode()
        found, answer = await shop.api("POST", "/media/jobs", body, headers=headers)
        assert found == status, (str(change)[:80], answer)
        named = {one["field"] for one in answer["error"]["field_errors"]}
        assert named if fields is None else named == fields, (str(change)[:80], named)
    assert not await shop.jobs()


async def test_bodies_and_tokens_that_are_none(shop: Studio) -> None:  # noqa: F811
    headers = {"Content-Type": "application/json"}
    for body, status in ((b"{", 400), (b"[]", 422), (b"x" * (22 << 20), 413)):
        assert (await shop.api("POST", "/media/jobs", body, headers=headers))[0] == status
    for body, status in ((b"", 400), (b"<html>", 400), (PICTURE[:30], 400), (b"x" * (11 << 20), 400)):
        answer = await shop.api("POST", "/media/uploads", body, headers={"Content-Type": "image/png"})
        assert answer[0] == status, answer
    for key in ("", "sk-by-none", "sk-by-" + "x" * 900, await shop.site.make_key(enabled=False)):
        for path in ("/media/jobs", "/media/jobs/none"):
            status, answer = await shop.api("GET", path, key=key)
            assert (status, answer["error"]["code"]) == (401, "unauthorized")
    assert (await shop.api("GET", "/media/jobs/none"))[0] == 404
    assert (await shop.api("GET", "/bots"))[0] == 401  # a gateway key opens nothing else


async def test_an_engine_host_that_sleeps_is_no_reason_to_refuse(shop: Studio) -> None:  # noqa: F811
    async with shop.site.services.database.transaction() as conn:
        await providers.save_provider(
            conn, "gpu", kind="engine", name="gpu", base_url="http://127.0.0.1:9", config={}, enabled=True
        )
        await slugs.save_one(
            conn, media.MediaRoute, "local", name="l", makes="image", candidates=["gpu:auto"], settings={}
        )
        await settings.bump_config(conn)
    shop.site.services.book._looked_at = float("-inf")
    shop.hold()
    for model in ("local", "gpu:anything"):
        job = await ordered(shop, model=model)
        assert (await shop.row(job["id"])).queue == "gpu"
