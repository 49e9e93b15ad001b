"""Artifacts and presets over the REST API."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from core.media.store import Store
from tests.admin.panel import Panel, running_panel
from tests.core.media.made import kept, picture, video
from tests.installation import TOKEN

AUTH = {"authorization": f"Bearer {TOKEN}"}
NOWHERE = "0" * 36


@pytest.fixture
async def panel(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """A running web process with a known token."""
    monkeypatch.setenv("BOTYARD_ADMIN_TOKEN", TOKEN)
    async with running_panel(tmp_path, sqlite_template) as panel:
        panel.client.headers.update(AUTH)
        yield panel


async def test_artifacts_are_listed_read_and_deleted(panel: Panel, tmp_path: Path) -> None:
    store, call = Store("", panel.home / "media"), panel.client
    path = picture(tmp_path / "a.png")
    first = await kept(panel.database, store, path, prompt="A boat")
    film = await kept(panel.database, store, video(tmp_path / "a.mp4"), prompt="A fjord")
    page = (await call.get("/api/v1/artifacts?limit=1")).json()
    assert ([one["id"] for one in page["items"]], page["next"]) == ([film], film)
    rest = (await call.get(f"/api/v1/artifacts?older={film}")).json()
    assert ([one["id"] for one in rest["items"]], rest["next"]) == ([first], None)
    for query in ("q=boat", "kind=image"):
        items = (await call.get(f"/api/v1/artifacts?{query}")).json()["items"]
        assert [one["id"] for one in items] == [first], query
    one = (await call.get(f"/api/v1/artifacts/{first}")).json()
    assert (one["prompt"], one["width"], one["mime"]) == ("A boat", 96, "image/png")
    assert "key" not in one and "sent" not in one
    async with panel.new_client() as stranger:
        assert (
            await stranger.get(urlsplit(one["url"])._replace(scheme="", netloc="").geturl())
        ).status_code == 200
        assert (await stranger.get(f"/api/v1/artifacts/{first}/content")).status_code == 401
        assert (await stranger.delete(f"/api/v1/artifacts/{first}")).status_code == 401
    content = await call.get(f"/api/v1/artifacts/{first}/content", headers={"range": "bytes=1-3"})
    assert (content.status_code, content.content) == (206, b"PNG")
    assert (await call.delete(f"/api/v1/artifacts/{first}")).status_code == 204
    for gone in (first, NOWHERE, "nonsense"):
        answer = await call.get(f"/api/v1/artifacts/{gone}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert (await call.get(f"/api/v1/artifacts/{NOWHERE}/content")).status_code == 404
    assert (await call.get("/api/v1/artifacts?kind=sound")).status_code == 422


async def test_keeping_and_presets(panel: Panel) -> None:
    call = panel.client
    assert (await call.get("/api/v1/artifact-settings")).json()["chats"] == 90
    changed = {"chats": 5, "own": 10, "stamp_chats": False, "stamp_own": False}
    assert (await call.put("/api/v1/artifact-settings", json=changed)).json() == changed
    refused = await call.put("/api/v1/artifact-settings", json={"chats": -1})
    assert (refused.status_code, refused.json()["error"]["field_errors"][0]["field"]) == (422, "chats")

    listed = (await call.get("/api/v1/presets")).json()
    assert {"z-image-turbo", "flux-dev"} <= {one["id"] for one in listed if one["own"]}
    new = {"id": "ink", "models": "*flux*", "values": {"steps": 20}, "limits": {"steps": [5, 40]}}
    assert (await call.post("/api/v1/presets", json=new)).status_code == 201
    assert (await call.get("/api/v1/presets/ink")).json()["limits"] == {"steps": [5, 40]}
    wrong = {
        "models": "*",
        "values": {"steps": 90, "Bad name": 1, "deep": {"a": 1}},
        "limits": {"steps": [9]},
    }
    errors = (await call.put("/api/v1/presets/ink", json=wrong)).json()["error"]["field_errors"]
    assert {one["code"] for one in errors} == {"preset_lines", "preset_value", "preset_span"}
    beyond = await call.put("/api/v1/presets/ink", json={**new, "values": {"steps": 90}} | {"id": None})
    assert beyond.status_code == 422
    beyond = await call.put(
        "/api/v1/presets/ink", json={"values": {"steps": 90}, "limits": {"steps": [5, 40]}}
    )
    assert beyond.json()["error"]["field_errors"][0]["message"] == "must be from 5 to 40"
    assert (await call.put("/api/v1/presets/flux-dev", json={"models": "*"})).status_code == 404
    assert (await call.delete("/api/v1/presets/ink")).status_code == 204
    assert (await call.get("/api/v1/presets/ink")).status_code == 404
