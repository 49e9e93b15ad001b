"""The gallery over HTTP: who may see a file, ranges, search, orders, deletion."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from core.media.artifacts_keeping import Keeping, read_keeping
from core.media.signed import open_signer
from core.media.store import Store
from db.artifacts import get_artifact
from db.base import now
from db.job_lists import list_jobs
from db.media import MediaRoute
from db.providers import save_provider
from db.slugs import save_one
from tests.admin.panel import Panel, running_panel
from tests.core.media.conftest import bucket, s3
from tests.core.media.made import job, kept, picture, video

NOWHERE = "0" * 36
__all__ = ["s3"]  # a fixture


@pytest.fixture
def store(owned: Panel) -> Store:
    """The panel's media store."""
    return Store("", owned.home / "media")


async def address(panel: Panel, artifact_id: str, until: float | None = None) -> str:
    """A signed address of an artifact."""
    async with panel.database.reading() as conn:
        row = await get_artifact(conn, artifact_id)
    return (await open_signer(panel.database)).path(row, until)


async def test_a_signed_address_is_enough_and_nothing_else_is(
    owned: Panel, store: Store, tmp_path: Path
) -> None:
    path = picture(tmp_path / "a.png")
    made = await kept(owned.database, store, path)
    url = await address(owned, made)
    async with owned.new_client() as stranger:
        answer = await stranger.get(url)
        assert (answer.status_code, answer.content) == (200, path.read_bytes())
        headers = answer.headers
        assert headers["content-type"] == "image/png" and headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("sandbox")
        assert headers["content-disposition"] == 'inline; filename="a-harbour-at-dawn.png"'
        assert "content-encoding" not in headers and "private" in headers["cache-control"]
        download = await stranger.get(url + "&download=1")
        assert download.headers["content-disposition"].startswith("attachment;")
        same = await stranger.get(url, headers={"if-none-match": headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        bare = urlsplit(url).path
        for bad in (bare, url[:-2], url.replace("until=", "until=9"), await address(owned, made, now() - 5)):
            refused = await stranger.get(bad)
            assert refused.status_code == 403 and "This link has ended" in refused.text, bad
        assert (await stranger.get(url.replace(made, NOWHERE))).status_code == 403
        assert (await stranger.get(f"/gallery/{made}/small")).status_code == 303
        assert (await stranger.get(f"/gallery/{made}")).status_code == 303
    assert (await owned.client.get(bare)).content == path.read_bytes()
    for none in (f"/media/{NOWHERE}/a.png", "/media/nonsense/a.png", f"/gallery/{NOWHERE}"):
        assert (await owned.client.get(none)).status_code == 404


RANGES = [
    ("bytes=0-9", 206, slice(0, 10)), ("bytes=10-", 206, slice(10, None)), ("bytes=-5", 206, slice(-5, None)),
    ("bytes=0-", 206, slice(0, None)),
    ("bytes=0-999999999", 206, slice(None)), ("bytes=999999999-", 416, None), ("bytes=9-2", 416, None),
    ("bytes=-0", 416, None), ("bytes=0-1,5-6", 200, slice(None)), ("items=0-1", 200, slice(None)),
    ("bytes=-", 200, slice(None)),
]  # fmt: skip


async def test_ranges(owned: Panel, store: Store, tmp_path: Path) -> None:
    body = video(tmp_path / "a.mp4").read_bytes()
    url = await address(owned, await kept(owned.database, store, tmp_path / "a.mp4"))
    for asked, status, span in RANGES:
        answer = await owned.client.get(url, headers={"range": asked})
        assert answer.status_code == status, asked
        if span is not None:
            assert answer.content == body[span]
            assert int(answer.headers["content-length"]) == len(answer.content)
        head = await owned.client.head(url, headers={"range": asked})
        assert (head.status_code, head.content) == (status, b"")
        if status == 206:
            assert answer.headers["content-range"].endswith(f"/{len(body)}")
            other = await owned.client.get(url, headers={"range": asked, "if-range": '"another"'})
            assert (other.status_code, other.content) == (200, body)
        if status == 416:
            assert answer.headers["content-range"] == f"bytes */{len(body)}"


async def test_small_pictures_are_made_once(owned: Panel, store: Store, tmp_path: Path) -> None:
    large = await kept(owned.database, store, picture(tmp_path / "a.png", size=(1200, 900)))
    film = await kept(owned.database, store, video(tmp_path / "a.mp4"))
    for one in (large, film):
        first = await owned.client.get(f"/gallery/{one}/small")
        assert first.status_code == 200 and first.headers["content-type"] == "image/webp"
        assert (await owned.client.get(f"/gallery/{one}/small")).content == first.content
    assert len(list((owned.home / "media").rglob("*-small.webp"))) == 2
    poster = await owned.client.get(f"/media/{film}/poster.jpg")
    assert poster.headers["content-type"] == "image/jpeg" and poster.content[:2] == b"\xff\xd8"
    async with owned.database.reading() as conn:
        row = await get_artifact(conn, large)
    assert row is not None
    (owned.home / "media" / row.key).write_bytes(b"damaged")
    next((owned.home / "media").rglob(f"*{row.job_id}*small.webp")).unlink()
    assert (await owned.client.get(f"/gallery/{large}/small")).status_code == 404
    (owned.home / "media" / row.key).unlink()
    assert (await owned.client.get(f"/media/{large}/a.png")).status_code == 404
    assert (await owned.client.get(f"/gallery/{large}")).status_code == 200


async def test_searching(owned: Panel, store: Store, tmp_path: Path) -> None:
    path = picture(tmp_path / "a.png")
    await kept(owned.database, store, path, prompt="<script>alert(1)</script>")
    await kept(owned.database, store, path, prompt="Green boat", created_at=86400.0 * 365, model="p:other")

    async def found(query: str) -> list[str]:
        page = (await owned.client.get(f"/gallery?{query}")).text
        return [word for word in ("&lt;script&gt;alert", "Green boat") if f"<b>{word}" in page]

    assert await found("") == ["&lt;script&gt;alert", "Green boat"]
    assert await found("q=boat&kind=image") == ["Green boat"] == await found("model=p:other")
    assert await found("since=1970-12-01&until=1971-01-01") == ["Green boat"]
    assert await found("since=2020-01-01") == ["&lt;script&gt;alert"]
    assert await found("kind=video") == [] == await found("q=%00nothing")
    odd = await owned.client.get(
        "/gallery", params={"since": "x", "until": "9999-12-31", "older": "'", "kind": "x"}
    )
    assert odd.status_code == 200
    assert "alert(1)</script>" not in (await owned.client.get("/gallery")).text


async def test_deleting_takes_the_files_along(owned: Panel, store: Store, tmp_path: Path) -> None:
    made = await kept(owned.database, store, video(tmp_path / "a.mp4"))
    await owned.client.get(f"/gallery/{made}/small")
    url = await address(owned, made)
    assert (await owned.client.post(f"/gallery/{made}/delete")).status_code == 400  # not from our page
    assert len([one for one in (owned.home / "media").rglob("*") if one.is_file()]) == 3
    answer = await owned.post(f"/gallery/{made}/delete")
    assert answer.headers["location"] == "/gallery?done=deleted"
    assert not [one for one in (owned.home / "media").rglob("*") if one.is_file()]
    assert (await owned.client.get(url)).status_code == 404
    assert (await owned.post(f"/gallery/{made}/delete")).status_code == 404
    assert "artifact.delete" in (await owned.client.get("/audit")).text


async def test_ordering_more_of_it(owned: Panel, store: Store, tmp_path: Path) -> None:
    made = await kept(owned.database, store, picture(tmp_path / "a.png"), job(model="tiny"))
    refused = await owned.post(f"/gallery/{made}/variations")
    assert refused.status_code == 422 and "No media route does this now" in refused.text
    assert (await owned.post(f"/gallery/{made}/nonsense")).status_code == 404
    again = await owned.post(f"/gallery/{made}/again")
    assert re.fullmatch(r"/queue/[0-9a-f-]{36}\?done=ordered", again.headers["location"])
    job_page = (await owned.client.get(again.headers["location"])).text
    assert "What was asked for" in job_page
    async with owned.database.transaction() as conn:
        await save_provider(conn, "engine", kind="engine", name="", config={}, enabled=True)
        route = {"name": "Images", "makes": "image", "candidates": ["auto"], "settings": {}, "managed": ""}
        await save_one(conn, MediaRoute, "images", **route)
    page = (await owned.client.get(f"/gallery/{made}")).text
    assert all(f"/gallery/{made}/{kind}" in page for kind in ("again", "variations", "upscale"))
    for kind in ("variations", "upscale"):
        assert (await owned.post(f"/gallery/{made}/{kind}")).status_code == 303
    async with owned.database.reading() as conn:
        rows = {row.task: row for row in await list_jobs(conn)}
    same, varied, larger = rows["text_to_image"], rows["image_to_image"], rows["upscale"]
    assert same.candidates[0] == "engine:tiny" and same.source == "panel"
    assert (same.request["prompt"], same.request["seed"]) == ("A harbour at dawn", None)
    assert same.request["params"]["steps"] == 9
    assert [one["artifact"] for one in varied.request["inputs"]] == [made] and varied.request[
        "strength"
    ] == 0.6
    assert larger.route_id == "images" and larger.request["inputs"][0]["artifact"] == made
    assert [args["what"] for name, args in owned.orchestrator.asked if name == "wake"].count("jobs") == 3


async def test_for_how_long_it_is_kept(owned: Panel) -> None:
    form = {"chats": "7", "own": "0", "stamp_own": "on", "stamp_chats": "on"}
    assert (await owned.post("/gallery/settings", form)).status_code == 303
    async with owned.database.reading() as conn:
        assert await read_keeping(conn) == Keeping(7, 0, True, True)
    wrong = await owned.post("/gallery/settings", {"chats": "-1", "own": "many"})
    assert wrong.status_code == 422
    assert "Must be at least 0" in wrong.text and "Must be a number" in wrong.text


async def test_a_viewer_looks_and_changes_nothing(owned: Panel, store: Store, tmp_path: Path) -> None:
    made = await kept(owned.database, store, picture(tmp_path / "a.png"))
    async with owned.database.transaction() as conn:
        await conn.execute(text("UPDATE operator SET role = 'viewer'"))
    page = (await owned.client.get(f"/gallery/{made}")).text
    assert "Download" in page and f"/gallery/{made}/delete" not in page
    for change in (f"/gallery/{made}/delete", f"/gallery/{made}/again", "/gallery/settings", "/presets/new"):
        assert (await owned.post(change)).status_code == 403, change


async def test_files_on_an_s3_server(
    s3: str, tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket(s3, "gallery", monkeypatch)
    monkeypatch.setenv("MEDIA_URL", f"s3://gallery/kept?endpoint={s3}")
    async with running_panel(tmp_path, sqlite_template) as panel:
        await panel.set_up()
        store = Store(f"s3://gallery/kept?endpoint={s3}", tmp_path)
        body = video(tmp_path / "a.mp4").read_bytes()
        made = await kept(panel.database, store, tmp_path / "a.mp4")
        async with panel.new_client() as stranger:
            answer = await stranger.get(await address(panel, made), headers={"range": "bytes=100-"})
            assert (answer.status_code, answer.content) == (206, body[100:])
        assert (await panel.client.get(f"/gallery/{made}/small")).headers["content-type"] == "image/webp"
        assert (await panel.post(f"/gallery/{made}/delete")).status_code == 303
        assert [keys async for keys in store.older(now() + 60)] in ([], [[]])
        assert not (tmp_path / "media").exists()
