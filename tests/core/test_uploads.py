"""Pictures that visitors uploaded: their own, kept for a month, within a room."""

import pytest

from core import uploads
from core.housekeeping import clear
from core.pictures import read_picture
from core.uploads import Uploads
from db.base import now
from db.channels import add_channel, delete_channel
from db.database import Database
from tests.core.pictures import png

PICTURE = read_picture(png(3, 4))


async def channel(database: Database, slug: str = "a") -> str:
    async with database.transaction() as conn:
        return str(await add_channel(conn, kind="widget", slug=slug, name=slug, config={}))


async def test_a_picture_is_there_for_its_channel_and_chat_only(database: Database) -> None:
    mine, other = Uploads(database, await channel(database)), Uploads(database, await channel(database, "b"))
    ref = await mine.keep("ann", PICTURE)
    assert ref is not None
    assert await mine.find(ref) == await mine.find(ref, "ann") == PICTURE
    assert await mine.find(ref, "bob") is None and await other.find(ref) is None
    for odd in ("", "x", ref + "'", "../" + ref, ref.upper().replace("-", "\0")):
        assert await mine.find(odd) is None


async def test_a_channel_has_so_much_room(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MOST_BYTES", 2 * len(PICTURE.body))
    mine, other = Uploads(database, await channel(database)), Uploads(database, await channel(database, "b"))
    assert [await mine.keep("ann", PICTURE) is None for _ in range(3)] == [False, False, True]
    assert await other.keep("ann", PICTURE) is not None


async def test_old_pictures_are_cleared_away_and_a_channel_takes_its_own_along(database: Database) -> None:
    first = await channel(database)
    mine = Uploads(database, first)
    ref = await mine.keep("ann", PICTURE)
    assert ref is not None
    await clear(database, now() - 60)
    assert await mine.find(ref) == PICTURE
    await clear(database, now() + 1)
    assert await mine.find(ref) is None
    ref = await mine.keep("ann", PICTURE)
    async with database.transaction() as conn:
        await delete_channel(conn, first)
    assert ref is not None and await mine.find(ref) is None
