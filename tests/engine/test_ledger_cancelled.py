"""Who gives up waiting for room: nothing stays reserved, and an eviction under way is carried out whole."""

import asyncio
from contextlib import suppress

import pytest

from providers.engine.text.model import State
from tests.engine.test_ledger import ledger
from tests.engine.test_text_hosting import Front, front
from tests.engine.text_support import until

__all__ = ["front"]
pytestmark = pytest.mark.asyncio


async def given_up(task: asyncio.Task[object]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_who_leaves_at_the_last_moment_holds_nothing() -> None:
    book = ledger()
    async with book._changed:  # somebody is just being told of a change
        asking = asyncio.create_task(book.reserve("a", 60))
        await until(lambda: bool(book.holdings))
        await given_up(asking)
    assert asking.done() and (asking.cancelled() == (book.holdings == []))


async def test_an_eviction_goes_on_when_its_asker_has_left() -> None:
    book = ledger()
    lease, steps = await book.reserve("old", 80), []

    async def evict() -> bool:
        steps.append("begun")
        await asyncio.sleep(0.2)
        steps.append("ended")
        await lease.release()
        return True

    lease.holding.evict = evict
    asking = asyncio.create_task(book.reserve("new", 80))
    await until(lambda: bool(steps))
    await given_up(asking)
    again = await asyncio.wait_for(book.reserve("newer", 80), 3)
    assert "ended" in steps and book.holdings == [again.holding]


async def test_a_text_engine_serves_again_after_an_eviction_that_was_given_up(front: Front) -> None:
    assert await front.chat("a") == 200
    [holding] = front.ledger.holdings
    engine = front.host.service.engine("a")
    asking = asyncio.create_task(front.ledger.reserve("picture", front.ledger.devices[0].total))
    async with asyncio.timeout(10):
        while engine.base_url:  # until it is being ended
            await asyncio.sleep(0)
    await given_up(asking)
    await until(lambda: not engine.changing)
    assert engine.state in (State.COLD, State.ASLEEP) and holding not in front.ledger.holdings
    assert await asyncio.wait_for(front.chat("a"), 15) == 200
