"""Whose key opens what."""

import time

from db.media import MediaRoute
from db.slugs import save_one
from tests.gateway.conftest import ADMIN, HELLO, Site


async def test_only_gateway_keys_are_valid_here(site: Site) -> None:
    made = await site.client.post(
        f"{site.url}/api/v1/tokens", json={"name": "a"}, headers=site.headers(ADMIN)
    )
    token = (await made.json())["token"]
    for key in ("", "sk-by-none", ADMIN, token, "sk-by-" + "x" * 10_000, "sk-by-\xe9"):
        answer = await site.get("/models", key)
        assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
        assert key not in answer.error["message"] or not key
    async with site.client.get(f"{site.base}/models") as bare:
        assert bare.status == 401 and bare.headers["www-authenticate"] == "Bearer"


async def test_gateway_keys_are_not_valid_elsewhere(site: Site) -> None:
    for path in ("/api/v1/bots", "/api/v1/gateway-keys"):
        async with site.client.get(site.url + path, headers=site.headers()) as answer:
            assert answer.status == 401


async def test_disabled_expired_and_revoked(site: Site) -> None:
    keys = site.services.gateway_keys
    for config in ({"enabled": False}, {"expires_at": time.time() - 1}):
        answer = await site.get("/models", await site.make_key(**config))
        assert (answer.status, answer.error["code"]) == (401, "invalid_api_key")
    soon = await site.make_key(expires_at=time.time() + 60)
    assert (await site.get("/models", soon)).status == 200
    await keys.delete("test", [one.id for one in await keys.all()][-1])
    assert (await site.get("/models", soon)).status == 401


async def test_a_key_of_one_route(site: Site) -> None:
    key = await site.make_key(routes=["shop"])
    assert [one["id"] for one in (await site.get("/models", key)).json["data"]] == ["shop"]
    answer = await site.post({"model": "shop", "messages": HELLO}, key)
    assert answer.status == 200
    for model, status, code in (
        ("main", 404, "model_not_found"), ("shpo", 404, "model_not_found"),
        ("two:model-b", 403, "model_not_allowed"), ("auto", 403, "model_not_allowed"),
        ("two:auto", 403, "model_not_allowed"), ("nobody:model", 404, "model_not_found"),
    ):  # fmt: skip
        answer = await site.post({"model": model, "messages": HELLO}, key)
        assert (answer.status, answer.error["code"], answer.error["param"]) == (status, code, "model"), model
        assert "main" not in answer.error["message"].replace("'main'", "")
    assert (
        "Did you mean shop?" in (await site.post({"model": "shpo", "messages": HELLO}, key)).error["message"]
    )


async def test_models(site: Site) -> None:
    listed = (await site.get("/models")).json
    names = [one["id"] for one in listed["data"]]
    assert listed["object"] == "list"
    assert names == ["main", "pair", "shop", "auto", "one:auto", "two:auto"]
    one = (await site.get("/models/main")).json
    assert one == {"id": "main", "object": "model", "created": 0, "owned_by": "botyard"}
    answer = await site.get("/models/mian")
    assert answer.status == 404 and "Did you mean main" in answer.error["message"]


async def test_models_of_pictures_and_videos(site: Site) -> None:
    async with site.services.database.transaction() as conn:
        for name in ("images", "shop-videos"):
            makes = "video" if "video" in name else "image"
            row = {"name": name, "makes": makes, "candidates": ["auto"], "settings": {}, "managed": ""}
            await save_one(conn, MediaRoute, name, **row)
    names = [one["id"] for one in (await site.get("/models")).json["data"]]
    assert names[-2:] == ["images", "shop-videos"] and "main" in names
    key = await site.make_key(routes=["shop-videos"], models=False)
    assert [one["id"] for one in (await site.get("/models", key)).json["data"]] == ["shop-videos"]
    assert (await site.get("/models/shop-videos", key)).json["owned_by"] == "botyard"
    assert (await site.get("/models/images", key)).status == 404


async def test_the_time_of_its_use_is_kept(site: Site) -> None:
    await site.ask()
    await site.usage(1)
    (key,) = await site.services.gateway_keys.all()
    assert key.last_used_at is not None and time.time() - key.last_used_at < 10


async def test_a_supervisor_that_is_away(site: Site) -> None:
    """What is known goes on; what is not yet known is told to wait."""
    site.services.control.away = True  # type: ignore[attr-defined]
    answer = await site.ask()
    assert (answer.status, answer.headers["retry-after"]) == (503, "2")
    site.services.control.away = False  # type: ignore[attr-defined]
    assert (await site.ask()).status == 200
    site.services.control.away = True  # type: ignore[attr-defined]
    await site.set_route("late", ["one:model-a"])
    assert (await site.ask()).status == 200
