"""Artifacts: kept once whatever crashes, found, cleared away, and read by signed addresses."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from core import housekeeping
from core.media import stamp
from core.media.artifacts import artifact_values, key_base, stamp_of, store_file
from core.media.artifacts_clearing import SMALL, base_of, clear_expired, clear_orphans, delete_files
from core.media.artifacts_keeping import Keeping, days_kept, read_keeping, write_keeping
from core.media.files import BadFile
from core.media.signed import Signer, file_name, open_signer
from core.media.store import Missing, Store
from db.artifacts import (
    Wanted,
    add_artifact,
    children_of,
    delete_artifact,
    find_artifacts,
    get_artifact,
    models_made,
)
from db.base import now
from db.database import Database
from db.jobs import add_job
from tests.core.media.made import job, kept, picture, video


async def keys(store: Store) -> list[str]:
    return sorted([key async for batch in store.older(time.time() + 60) for key in batch])


async def test_a_repeat_after_a_crash_overwrites(store: Store, tmp_path: Path) -> None:
    row = job(created_at=1795219200.0)  # 2026-11-21
    path = video(tmp_path / "a.mp4")
    first = await store_file(store, path, key_base(row, 0), None, "video")
    assert first == await store_file(store, path, key_base(row, 0), None, "video")
    assert (
        first.key == f"2026/11/21/{row.id}-1-0.mp4" and first.poster == f"2026/11/21/{row.id}-1-0-poster.jpg"
    )
    assert await keys(store) == sorted([first.key, first.poster])
    assert (first.width, first.height, first.mime, first.size) == (96, 64, "video/mp4", path.stat().st_size)
    assert await store.content(first.key) == path.read_bytes()
    row.attempt = 2
    assert (await store_file(store, path, key_base(row, 0), None)).key != first.key


async def test_what_is_stored_carries_its_parameters_only_where_it_may(tmp_path: Path) -> None:
    store, used = Store("", tmp_path / "media"), {"seed": 99, "steps": 8}
    assert stamp_of(job(source="chat"), used, Keeping()) is None
    assert stamp_of(job(source="tool"), used, Keeping(stamp_chats=True)) is not None
    facts = stamp_of(job(source="panel"), used, Keeping())
    assert facts is not None
    stored = await store_file(store, picture(tmp_path / "a.png"), "2026/11/21/x-1-0", facts)
    found = await stamp.read(tmp_path / "media" / stored.key)
    assert found is not None and (found["prompt"], found["settings"]["seed"]) == ("A harbour at dawn", 99)
    plain = await store_file(store, picture(tmp_path / "a.gif"), "2026/11/21/y-1-0", facts)  # has no place
    assert await store.content(plain.key) == (tmp_path / "a.gif").read_bytes()
    with pytest.raises(BadFile, match="not a video"):
        await store_file(store, tmp_path / "a.png", "2026/11/21/z-1-0", None, "video")


async def test_rows_say_what_the_job_said(database: Database, tmp_path: Path) -> None:
    store = Store("", tmp_path / "media")
    row = job(source="chat", chat_key="5", request={"inputs": [{"role": "image", "artifact": "mother"}]})
    stored = await store_file(store, picture(tmp_path / "a.png"), key_base(row, 1), None)
    async with database.transaction() as conn:
        await write_keeping(conn, Keeping(chats=3))
        days = await days_kept(conn, row.source)
        artifact = await add_artifact(conn, **artifact_values(stored, row, 1, {"seed": 99}, days))
        assert await read_keeping(conn) == Keeping(chats=3) and await days_kept(conn, "api") == 0
    async with database.reading() as conn:
        found = await get_artifact(conn, artifact)
        assert [one.id for one in await children_of(conn, "mother", 5)] == [artifact]
        assert await models_made(conn) == ["engine:Tongyi-MAI/Z-Image-Turbo"]
    assert found is not None and (found.prompt, found.number, found.parent_id) == (
        "A harbour at dawn",
        1,
        "mother",
    )
    assert found.settings == {"count": 1, "seed": 99, "steps": 9}
    assert found.expires_at == pytest.approx(now() + 3 * 86400, abs=60)


async def test_artifacts_are_found(database: Database, tmp_path: Path) -> None:
    store = Store("", tmp_path / "media")
    path = picture(tmp_path / "a.png")
    made = [
        await kept(database, store, path, prompt=f"{word} boat_{number}", created_at=1000.0 + number,
                   model="p:one" if number % 2 else "p:two", mime="video/mp4" if number == 3 else "image/png")
        for number, word in enumerate(["Red", "green", "red", "Гавань", "100%"])
    ]  # fmt: skip

    async def found(limit: int = 10, **wanted: object) -> list[int]:
        async with database.reading() as conn:
            rows = await find_artifacts(conn, Wanted(**wanted), limit)  # type: ignore[arg-type]
        return [made.index(row.id) for row in rows]

    assert await found() == [4, 3, 2, 1, 0]
    assert await found(text="red") == [2, 0]
    assert await found(text="boat red") == [2, 0]
    assert await found(text="гавань") == [3] == await found(text="ГАВАНЬ boat_3")
    assert await found(text="%") == [4] and await found(text="boat_2") == [2]
    assert await found(kind="video") == [3] and await found(model="one") == [3, 1]
    assert await found(since=1001.0, until=1003.0) == [2, 1]
    assert await found(2, older=made[3]) == [2, 1]
    assert await found(channel_id="none") == [] and await found(source="panel", limit=1) == [4]


async def test_what_is_over_goes_with_its_files(database: Database, store: Store, tmp_path: Path) -> None:
    film = video(tmp_path / "a.mp4")
    old = await kept(database, store, film, expires_at=now() - 5)
    stays = await kept(database, store, film, expires_at=now() + 500)
    for_ever = await kept(database, store, film)
    async with database.reading() as conn:
        gone = await get_artifact(conn, old)
    assert gone is not None
    await store.put(base_of(gone.key) + SMALL, b"small")
    assert len(await keys(store)) == 7
    assert await clear_expired(database, store) == 1
    assert len(await keys(store)) == 4
    async with database.reading() as conn:
        assert {row.id for row in await find_artifacts(conn, Wanted(), 9)} == {stays, for_ever}


async def test_files_without_a_row_go_and_nothing_else(
    database: Database, store: Store, tmp_path: Path
) -> None:
    film = video(tmp_path / "a.mp4")
    await kept(database, store, film)
    lost = await kept(database, store, film)
    async with database.transaction() as conn:
        gone = await delete_artifact(conn, lost)
    assert gone is not None
    await store.put(base_of(gone.key) + SMALL, b"small")
    await store.put("other/thing.bin", b"not ours")
    async with database.transaction() as conn:
        running = await add_job(
            conn, queue="cloud", task="text_to_image", request={}, source="api", expires_at=now() + 60
        )
    late = await store_file(store, picture(tmp_path / "b.png"), key_base(running, 0), None)
    assert await clear_orphans(database, store) == 0  # not a day old
    assert await clear_orphans(database, store, time.time() + 60) == 3
    left = await keys(store)
    assert len(left) == 4 and {"other/thing.bin", late.key} <= set(left) and gone.key not in left
    assert await clear_orphans(database, store, time.time() + 60) == 0
    await delete_files(store, gone.key, gone.poster)  # already gone: no trouble
    with pytest.raises(Missing):
        await store.size(gone.key)


async def test_signatures(database: Database) -> None:
    row = job(id="0" * 36, prompt="Гавань at dawn — oil, <b>/../", mime="image/png")
    signer = await open_signer(database)
    path, _, query = signer.path(row, now() + 60).partition("?")
    assert path == f"/media/{row.id}/at-dawn-oil-b.png"
    until, signature = (part.partition("=")[2] for part in query.split("&"))
    assert signer.valid(row.id, until, signature)
    assert (await open_signer(database)).valid(row.id, until, signature)
    assert not signer.valid("1" * 36, until, signature)
    assert not signer.valid(row.id, str(int(until) + 1), signature)
    assert not signer.valid(row.id, until, signature[:-1]) and not signer.valid(row.id, until, "ä")
    assert not Signer("another").valid(row.id, until, signature)
    past = signer.path(row, now() - 1).partition("?")[2]
    old, its = (part.partition("=")[2] for part in past.split("&"))
    assert not signer.valid(row.id, old, its)
    for odd in ("", "-1", "1e9", "٣", "9" * 30):
        assert not signer.valid(row.id, odd, signature)
    assert file_name(job(id="ab" * 18, prompt="гавань", mime="video/mp4")) == "ab" * 6 + ".mp4"


async def test_housekeeping_clears_media_away(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "EVERY", 0.02)
    store = Store("", tmp_path / "media")
    old = await kept(database, store, picture(tmp_path / "a.png"), expires_at=now() - 5)
    lost = picture(tmp_path / "media/2026/11/21/lost-1-0.png")
    os.utime(lost, (1, 1))
    keeping = asyncio.create_task(housekeeping.keep_house(database, store))
    async with asyncio.timeout(10):
        while lost.exists():
            await asyncio.sleep(0.02)
    keeping.cancel()
    async with database.reading() as conn:
        assert await get_artifact(conn, old) is None
    assert await keys(store) == []
