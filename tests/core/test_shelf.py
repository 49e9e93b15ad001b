"""What a channel knows of files: ids kept aside of everything else, links that work elsewhere."""

import asyncio
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from core.media.signed import open_signer
from core.shelf import Shelf
from db import artifacts
from db.database import Database


async def made(database: Database) -> str:
    async with database.transaction() as conn:
        return await artifacts.add_artifact(conn, key="a.png", mime="image/png", size=1, digest="d")


async def kept(shelf: Shelf, artifact: str, name: str) -> str:
    async with asyncio.timeout(5):
        while not (found := await shelf.sent_as([artifact], name)):
            await asyncio.sleep(0.01)
    return found[artifact]


async def test_ids_are_kept_for_each_bot(database: Database, tmp_path: Path) -> None:
    shelf, one = Shelf(database, tmp_path), await made(database)
    assert await shelf.sent_as([one], "telegram:1") == {}
    shelf.remember({one: "x", "no such artifact": "y"}, "telegram:1")
    assert await kept(shelf, one, "telegram:1") == "x"
    shelf.remember({one: "z"}, "telegram:2")
    assert await kept(shelf, one, "telegram:2") == "z"
    assert await shelf.sent_as([one], "telegram:1") == {one: "x"}


async def test_a_database_that_is_away_costs_an_upload_and_nothing_else(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shelf, one = Shelf(database, tmp_path), await made(database)
    caplog.set_level("INFO")
    async with database.transaction() as conn:
        await conn.exec_driver_sql("DROP TABLE artifact")
    shelf.remember({one: "x"}, "telegram:1")
    assert await shelf.sent_as([one], "telegram:1") == {}
    async with asyncio.timeout(5):
        while "were not kept" not in caplog.text:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "url", ["", "http://127.0.0.1:8002", "http://localhost", "http://0.0.0.0:1", "http://[::1]"]
)
async def test_no_link_to_what_only_this_machine_reaches(
    database: Database, tmp_path: Path, url: str
) -> None:
    assert await Shelf(database, tmp_path, "", url).link(await made(database)) == ""


async def test_a_link_is_signed(database: Database, tmp_path: Path) -> None:
    shelf, one = Shelf(database, tmp_path, "", "https://chat.example"), await made(database)
    link = urlsplit(await shelf.link(one))
    query = parse_qs(link.query)
    assert (link.netloc, link.path.split("/")[1:3]) == ("chat.example", ["media", one])
    assert (await open_signer(database)).valid(one, query["until"][0], query["sig"][0])
    assert await shelf.link("no such artifact") == ""
