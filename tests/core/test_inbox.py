"""The inbox commits before it answers, runs one turn per chat, and takes up what a dead process left."""

import asyncio
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from core.inbox import Claim, Inbox
from db import inline_sqlite
from db.channels import add_channel, delete_channel
from db.database import Database
from db.trouble import Unavailable
from tests.core.channels import incoming
from tests.db.trouble import Unheard, unusable


async def nothing(_conn: AsyncConnection) -> list[Any]:
    return []


@pytest.fixture
async def channel_id(database: Database) -> str:
    async with database.transaction() as conn:
        return await add_channel(conn, kind="test", slug="a", name="a", config={})


async def test_updates_are_accepted_once_and_one_per_chat_runs(database: Database, channel_id: str) -> None:
    started: list[Claim] = []
    inbox = Inbox(database, channel_id, started.append)
    batch = [incoming(1, "a", "one"), incoming(2, "a", "two"), incoming(3, "b", "three")]
    assert await inbox.accept(batch) == [True, True, True]
    assert await inbox.accept(batch) == [False, False, False]
    assert [claim.external_id for claim in started] == ["1", "3"]
    await inbox.finish(started[0], nothing)
    assert [claim.external_id for claim in started] == ["1", "3", "2"]
    await inbox.finish(started[2], nothing)
    assert inbox.running == 1
    assert await inbox.accept([incoming(4, "a", "four")]) == [True]
    assert started[-1].external_id == "4"


async def test_order_holds_while_accepting_and_finishing_cross(database: Database, channel_id: str) -> None:
    order: list[str] = []
    finished = asyncio.Event()

    def start(claim: Claim) -> None:
        order.append(claim.external_id)
        task = asyncio.create_task(inbox.finish(claim, nothing))
        tasks.append(task)
        if len(order) == 60:
            finished.set()

    tasks: list[asyncio.Task[Any]] = []
    inbox = Inbox(database, channel_id, start)
    await asyncio.gather(*(inbox.accept([incoming(n, "a", str(n))]) for n in range(60)))
    await asyncio.wait_for(finished.wait(), 20)
    await asyncio.gather(*tasks)
    assert order == [str(n) for n in range(60)]
    assert inbox.running == 0


async def test_a_new_process_takes_up_running_and_waiting_updates(
    database: Database, channel_id: str
) -> None:
    dead: list[Claim] = []
    await Inbox(database, channel_id, dead.append).accept(
        [incoming(1, "a", "one"), incoming(2, "a", "two"), incoming(3, "b", "three")]
    )
    started: list[Claim] = []
    inbox = Inbox(database, channel_id, started.append)
    await inbox.recover()
    assert sorted((claim.external_id, claim.attempts) for claim in started) == [("1", 1), ("3", 1)]
    await inbox.finish(started[0], nothing)
    assert started[-1].external_id == "2" and started[-1].attempts == 0


async def test_a_failed_commit_leaves_nothing_behind(database: Database, channel_id: str) -> None:
    started: list[Claim] = []
    inbox = Inbox(database, channel_id, started.append)
    await inbox.accept([incoming(1, "a", "one")])

    async def breaks(_conn: AsyncConnection) -> None:
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError):
        await inbox.finish(started[0], breaks)
    assert inbox.running == 1
    await inbox.finish(started[0], nothing)
    assert inbox.running == 0


async def test_closing_a_claim_waits_for_the_database(
    database: Database, channel_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inline_sqlite, "LOCK_TIMEOUT", 0.02)
    started: list[Claim] = []
    inbox = Inbox(database, channel_id, started.append)
    await inbox.accept([incoming(1, "a", "one"), incoming(2, "a", "two")])
    async with unusable(database):
        finishing = asyncio.create_task(inbox.finish(started[0], nothing))
        await asyncio.sleep(0.1)
    await asyncio.wait_for(finishing, 5)
    assert [claim.external_id for claim in started] == ["1", "2"]


async def test_a_commit_that_was_not_heard_of_is_not_repeated(database: Database, channel_id: str) -> None:
    started: list[Claim] = []
    deaf = Unheard(database.url)
    inbox = Inbox(deaf, channel_id, started.append)
    await inbox.accept([incoming(1, "a", "one"), incoming(2, "a", "two")])
    stored: list[int] = []

    async def store(_conn: AsyncConnection) -> list[Any]:
        stored.append(1)
        return stored

    deaf.commits = 1
    assert await inbox.finish(started[0], store) == []
    assert stored == [1] and [claim.external_id for claim in started] == ["1", "2"]
    await inbox.finish(started[1], nothing)
    assert inbox.running == 0
    await deaf.close()


async def test_an_accept_that_was_not_heard_of_is_taken_up(database: Database, channel_id: str) -> None:
    started: list[Claim] = []
    deaf = Unheard(database.url)
    inbox = Inbox(deaf, channel_id, started.append)
    deaf.commits = 1
    with pytest.raises(Unavailable):
        await inbox.accept([incoming(1, "a", "one"), incoming(2, "b", "two")])
    assert await inbox.accept([incoming(1, "a", "one"), incoming(3, "a", "three")]) == [False, True]
    assert [(claim.external_id, claim.attempts) for claim in started] == [("1", 0), ("2", 0)]
    await inbox.finish(started[0], nothing)
    assert started[-1].external_id == "3"
    await deaf.close()


async def test_a_channel_deleted_during_a_turn(database: Database, channel_id: str) -> None:
    started: list[Claim] = []
    inbox = Inbox(database, channel_id, started.append)
    await inbox.accept([incoming(1, "a", "one")])
    async with database.transaction() as conn:
        await delete_channel(conn, channel_id)

    async def breaks(_conn: AsyncConnection) -> None:
        raise RuntimeError("a row without its channel")

    assert await inbox.finish(started[0], breaks) == []
    assert inbox.running == 0


async def test_a_claim_closed_twice_starts_the_next_one_once(database: Database, channel_id: str) -> None:
    started: list[Claim] = []
    inbox = Inbox(database, channel_id, started.append)
    await inbox.accept([incoming(1, "a", "one"), incoming(2, "a", "two")])
    await inbox.finish(started[0], nothing)
    assert await inbox.finish(started[0], nothing) == []
    assert [claim.external_id for claim in started] == ["1", "2"] and inbox.running == 1
