"""Transactions behave alike on both databases."""

import asyncio

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from db import inline_sqlite
from db.base import new_id
from db.channels import add_channel
from db.database import Database, async_url
from db.inbox import add_update, claim_next, finish_update, retake, waiting_chats
from db.settings import bump_config, get_setting, set_setting
from db.trouble import Unavailable
from tests.db.trouble import unusable


async def test_a_transaction_commits_or_rolls_back_whole(database: Database) -> None:
    async with database.transaction() as conn:
        await set_setting(conn, "colour", "green")
    with pytest.raises(RuntimeError, match="stop"):
        async with database.transaction() as conn:
            await set_setting(conn, "colour", "red")
            raise RuntimeError("stop")
    async with database.reading() as conn:
        assert await get_setting(conn, "colour") == "green"


async def test_concurrent_counts_lose_nothing(database: Database) -> None:
    async def bump() -> None:
        async with database.transaction() as conn:
            await conn.execute(select(1))
            await bump_config(conn)

    if not database.is_sqlite:
        async with database.transaction() as conn:
            await bump_config(conn)
        return
    others = [Database(database.url) for _ in range(4)]
    await asyncio.gather(*(bump() for _ in range(5)))
    for other in others:
        await other.close()
    async with database.reading() as conn:
        assert await get_setting(conn, "config_version") == 5


async def test_inbox_keeps_one_running_turn_per_chat_in_order(database: Database) -> None:
    async with database.transaction() as conn:
        channel = await add_channel(conn, kind="telegram", slug="a", name="a", config={})
        first = await add_update(conn, channel, "1", "chat", "{}", "running")
        second = await add_update(conn, channel, "2", "chat", "{}", "new")
        again = await add_update(conn, channel, "2", "chat", "{}", "new")
    assert first and second and again is None
    async with database.transaction() as conn:
        assert [row.id for row in await retake(conn, channel)] == [first.id]
        assert await waiting_chats(conn, channel) == ["chat"]
        await finish_update(conn, first.id)
        claimed = await claim_next(conn, channel, "chat")
        assert claimed is not None and claimed.id == second.id
        assert await claim_next(conn, channel, "other") is None


def test_ids_sort_by_time_and_urls_name_the_driver() -> None:
    ids = [new_id() for _ in range(100)]
    assert [value[:13] for value in ids] == sorted(value[:13] for value in ids)
    assert async_url("postgres://u:p@h/d") == "postgresql+asyncpg://u:p@h/d"
    with pytest.raises(ValueError, match="mysql"):
        async_url("mysql://h/d")


async def test_a_database_that_cannot_be_used_for_now_is_told_from_a_wrong_statement(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inline_sqlite, "LOCK_TIMEOUT", 0.02)
    async with unusable(database):
        with pytest.raises(Unavailable):
            async with database.transaction() as conn:
                await set_setting(conn, "colour", "red")
    with pytest.raises(DBAPIError):
        async with database.transaction() as conn:
            await conn.execute(text("SELECT nothing FROM nowhere"))
    async with database.transaction() as conn:
        await set_setting(conn, "colour", "green")


async def test_a_file_that_cannot_be_opened_and_a_server_that_is_away() -> None:
    for url in ("sqlite:////nowhere/at/all.db", "postgresql://nobody@127.0.0.1:1/none"):
        database = Database(url)
        with pytest.raises(Unavailable):
            async with database.reading() as conn:
                await conn.execute(select(1))
        await database.close()
