"""The rehearsal before a fork: it leaves nothing behind, and what a child asks first is compiled already."""

import asyncio

from core.instances import load_instance
from core.rehearsal import rehearse_database, rehearsed_database
from db import channels, jobs, providers, slugs
from db.database import Database
from db.media import MediaRoute


async def _town(url: str) -> str:
    """A widget with routes of pictures and videos; its id."""
    database = Database(url)
    async with database.transaction() as conn:
        await providers.save_provider(
            conn, "studio", kind="engine", name="", base_url="http://x.example", config={}, enabled=True,
            managed="",
        )  # fmt: skip
        for name, makes in (("images", "image"), ("videos", "video")):
            lines = {"candidates": ["studio:auto"], "settings": {}, "managed": ""}
            await slugs.save_one(conn, MediaRoute, name, name="", makes=makes, **lines)
        channel_id = await channels.add_channel(
            conn, kind="widget", slug="shop", name="", config={}, base_ids=[]
        )
    await database.close()
    return channel_id


async def _begin(database: Database, channel_id: str) -> set[str]:
    """What a channel reads when it starts and looks for jobs; the kinds of what it may make."""
    async with database.reading() as conn:
        instance = await load_instance(conn, channel_id, {})
        assert instance is not None
        assert await jobs.unended_of(conn, channel_id) == []
    await database.close()
    return set(instance.media)


async def _rows(database: Database) -> list[str]:
    async with database.reading() as conn:
        found = [*await providers.all_providers(conn), *await channels.all_channels(conn)]
    await database.close()
    return [row.id for row in found]


def test_a_rehearsed_process_compiles_nothing_when_a_channel_starts(sqlite_url: str) -> None:
    channel_id = asyncio.run(_town(sqlite_url))
    rehearse_database(sqlite_url)
    database = rehearsed_database(sqlite_url)
    compiled = database.backend.sync_engine._compiled_cache
    assert compiled is not None
    known = set(compiled)
    assert asyncio.run(_begin(database, channel_id)) == {"image", "video"}
    assert set(compiled) == known
    assert asyncio.run(_rows(database)) == ["studio", channel_id]
