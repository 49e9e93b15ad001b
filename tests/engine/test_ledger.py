"""The memory ledger: admission, eviction, holding, pinning and turns."""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.engine.devices import UNKNOWN, Ram, anonymous, descendants, external_of, host_pool
from providers.engine.holdings import Pool
from providers.engine.ledger import Lease, Ledger
from providers.engine.text.memory import NoRoom

pytestmark = pytest.mark.asyncio


def ledger(total: int = 100, ram: int = 100, hold: float = 0.0) -> Ledger:
    return Ledger([Pool("gpu", "cuda", total)], Pool("RAM", "host", ram), hold=hold)


def evictable(lease: Lease, gone: list[str] | None = None) -> Lease:
    """Let a lease be evicted, as a model's would be."""

    async def evict() -> bool:
        if gone is not None:
            gone.append(lease.holding.model)
        await lease.release()
        return True

    lease.holding.evict = evict
    return lease


async def soon(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(3):
        while not condition():
            await asyncio.sleep(0.01)


@given(
    held=st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.booleans()), max_size=7),
    need=st.tuples(st.integers(0, 120), st.integers(0, 120)),
)
@settings(max_examples=150, deadline=None)
async def test_a_plan_is_whole_and_takes_no_more_than_it_must(
    held: list[tuple[int, int, bool]], need: tuple[int, int]
) -> None:
    book = ledger(10_000, 10_000)
    idle = []
    for number, (device, host, pinned) in enumerate(held):
        lease = evictable(await book.reserve(str(number), device, host))
        lease.holding.pinned = pinned
        if not pinned:
            idle.append(lease.holding)
    free = book.free()
    plan = book.plan(*(free[at] + need[at] if need[at] else 0 for at in (0, 1)), (0,))
    enough = sum(one.device for one in idle) >= need[0] and sum(one.host for one in idle) >= need[1]
    assert (plan is not None) == enough
    if plan is None:
        return
    assert all(one in idle for one in plan)
    assert sum(one.device for one in plan) >= need[0] and sum(one.host for one in plan) >= need[1]
    for fewer in combinations(plan, max(len(plan) - 1, 0)) if plan else ():
        short = sum(one.device for one in fewer) < need[0] or sum(one.host for one in fewer) < need[1]
        assert short, "a victim could have stayed"


@given(sizes=st.lists(st.integers(1, 100), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
async def test_never_is_more_held_than_there_is(sizes: list[int]) -> None:
    book = ledger(100)
    for number, size in enumerate(sizes):
        evictable(await book.reserve(str(number), size))
        assert sum(one.device for one in book.holdings) <= 100
    assert len(book.history) <= 200


async def test_what_never_fits_is_refused_at_once_and_nothing_is_unloaded() -> None:
    book, gone = ledger(), list[str]()
    pinned = evictable(await book.reserve("pinned", 30), gone)
    pinned.holding.pinned = True
    evictable(await book.reserve("idle", 50), gone)
    began = time.monotonic()
    with pytest.raises(NoRoom) as caught:
        await book.reserve("large", 80)
    assert (caught.value.need, caught.value.have, caught.value.held_by) == (80, 70, ("pinned",))
    assert caught.value.forever and time.monotonic() - began < 0.2
    with pytest.raises(NoRoom, match="needs 200 bytes, 100 can be had"):
        await book.reserve("much RAM", 1, 200)
    assert gone == []


async def test_the_longest_unused_goes_first_and_whats_in_use_stays() -> None:
    book, gone = ledger(), list[str]()
    leases = {name: evictable(await book.reserve(name, 30), gone) for name in ("a", "b", "c")}
    leases["a"].holding.used_at += 5
    leases["b"].holding.in_use = 1
    await book.reserve("d", 30)
    assert gone == ["c"]


async def test_one_that_was_just_used_is_held_for_a_while() -> None:
    book, gone = ledger(hold=0.4), list[str]()
    evictable(await book.reserve("a", 80), gone)
    began = time.monotonic()
    await book.reserve("b", 80)
    assert gone == ["a"] and time.monotonic() - began >= 0.3


async def test_turns_are_kept_and_positions_told() -> None:
    book = ledger()
    first = await book.reserve("a", 80)
    waiters = []
    for name, size in (("large", 90), ("small", 10)):
        waiters.append(asyncio.create_task(book.reserve(name, size)))
        await asyncio.sleep(0.02)
    assert book.waiting == ["large", "small"]  # although the small one would fit now
    assert not any(one.done() for one in waiters)
    await first.release()
    await asyncio.gather(*waiters)
    assert [one.model for one in book.holdings] == ["large", "small"] and book.waiting == []


async def test_who_gives_up_waiting_lets_the_next_one_go() -> None:
    book = ledger()
    await book.reserve("a", 80)
    large = asyncio.create_task(book.reserve("large", 90))
    await asyncio.sleep(0.02)
    small = asyncio.create_task(book.reserve("small", 10))
    await asyncio.sleep(0.02)
    large.cancel()
    await asyncio.wait_for(small, 1)
    assert book.waiting == []


async def test_who_waited_long_does_not_mind_the_hold() -> None:
    book, gone = ledger(hold=60), list[str]()
    book.patience = 0.2
    evictable(await book.reserve("a", 80), gone)
    assert not book.overdue("a")
    waiting = asyncio.create_task(book.reserve("b", 80))
    await soon(lambda: book.overdue("a"))
    assert not book.overdue("b")
    await asyncio.wait_for(book.served("a"), 2)
    await waiting
    assert gone == ["a"]


async def test_a_lease_grows_by_evicting_and_shrinks() -> None:
    book, gone = ledger(), list[str]()
    lease = evictable(await book.reserve("a", 40), gone)
    evictable(await book.reserve("b", 50), gone)
    with pytest.raises(NoRoom):
        await lease.adjust(60, 0, wait=False)
    assert gone == [] and lease.holding.device == 40
    await lease.adjust(60, 0)
    assert gone == ["b"] and lease.holding.device == 60
    with pytest.raises(NoRoom) as caught:
        await lease.adjust(101, 0)
    assert caught.value.forever
    await lease.adjust(10, 5, wait=False)
    assert book.free() == (90, 95)


async def test_others_use_counts_and_is_looked_at_again() -> None:
    class Shared(Pool):
        def look(self, alone: bool) -> None:
            looks.append(alone)
            self.external = 70

    looks: list[bool] = []
    book = Ledger([Shared("gpu", "cuda", 100)], Pool("RAM", "host", 100))
    with pytest.raises(NoRoom, match="needs 50 bytes, 30 can be had"):
        await book.reserve("a", 50)
    assert looks == [True]
    await book.reserve("b", 30)
    book.host.external = 500  # more than there is: who needs none of it does not care
    await asyncio.wait_for(book.reserve("c", 0), 1)


async def test_what_an_eviction_did_not_free_is_not_given_away() -> None:
    book = ledger()
    lease = await book.reserve("stubborn", 80)

    async def refuse() -> bool:
        return False

    lease.holding.evict = refuse
    waiting = asyncio.create_task(book.reserve("b", 80))
    await asyncio.sleep(0.4)
    assert not waiting.done() and book.free()[0] == 20
    await lease.release()
    await asyncio.wait_for(waiting, 1)


@pytest.mark.parametrize(
    ("by_pid", "alone", "external"),
    [
        ({1: 30, 2: 20}, False, 50),  # ours are 1 and 2
        ({1: 30, 9: 40}, False, 70),
        ({9: 40}, True, 100),
        ({}, True, 100),
        ({}, False, None),  # NVML tells nothing: what was measured before stays
        ({1: UNKNOWN}, False, None),
    ],
)
async def test_what_others_hold_of_a_gpu(by_pid: dict[int, int], alone: bool, external: int | None) -> None:
    assert external_of(100, by_pid, {1, 2}, alone) == external


async def test_ram_of_our_children_is_not_others() -> None:
    code = "import time; block = b'x' * 300_000_000; print(1, flush=True); time.sleep(60)"
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    try:
        assert child.stdout is not None
        await child.stdout.readline()
        assert child.pid in descendants(os.getpid())
        assert anonymous(child.pid) >= 300_000_000
        pool = host_pool()
        assert isinstance(pool, Ram) and 0 < pool.external < pool.total
    finally:
        child.kill()
        await child.wait()
    assert anonymous(2**22 + 1) == 0
