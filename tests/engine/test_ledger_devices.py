"""Several devices: holdings count where they lie, models go where there is room, wide ones on several."""

import asyncio
import sys
from itertools import combinations
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.engine.devices import allowed
from providers.engine.family import Family
from providers.engine.holdings import Holding, Pool, victims
from providers.engine.ledger import Ledger
from providers.engine.models import FAKE, Model
from providers.engine.peaks import Manner, shape_of
from providers.engine.residence import Residence
from providers.engine.server import Server
from providers.engine.setting_up import SettingUp
from providers.engine.text.launcher import spread
from providers.engine.text.memory import NoRoom
from providers.engine.text.model import GIB, TextModel
from providers.engine.text_host import TextHost, TextOptions
from providers.engine.work import Shop
from tests.engine.test_ledger import evictable
from tests.engine.test_ledger_residence import fake

pytestmark = pytest.mark.asyncio


def ledger(*totals: int) -> Ledger:
    pools = [
        Pool(f"gpu {at}", "fake", total, visible=f"{at}") for at, total in enumerate(totals or (100, 100))
    ]
    return Ledger(pools, Pool("RAM", "host", 100), hold=0.0)


def places(book: Ledger) -> dict[str, tuple[int, ...]]:
    return {one.model: one.devices for one in book.holdings}


async def test_each_model_lies_where_there_is_most_room() -> None:
    book = ledger()
    first = await book.reserve("a", 60)
    second = await book.reserve("b", 50)
    third = await book.reserve("c", 45)
    assert places(book) == {"a": (0,), "b": (1,), "c": (1,)}
    assert [one.visible for one in (first, second, third)] == ["0", "1", "1"]
    assert book.free([0]) == (40, 100) and book.free([1]) == (5, 100) and book.free() == (5, 100)
    with pytest.raises(NoRoom, match="needs 101 bytes, 100 can be had"):
        await book.reserve("large", 101)


async def test_the_larger_device_takes_what_only_it_can() -> None:
    book = ledger(24, 80)
    await book.reserve("small", 10)  # the large one has more room
    await book.reserve("large", 70)
    assert places(book) == {"small": (1,), "large": (1,)}
    with pytest.raises(NoRoom, match="needs 81 bytes, 80 can be had"):
        await book.reserve("larger", 81)


async def test_only_those_in_the_way_are_evicted_and_as_few_as_can_be() -> None:
    book, gone = ledger(), list[str]()
    for name, size in (("a", 90), ("b", 30), ("c", 30), ("d", 30)):
        evictable(await book.reserve(name, size), gone)
    assert places(book) == {"a": (0,), "b": (1,), "c": (1,), "d": (1,)}
    await book.reserve("e", 95)
    assert gone == ["a"] and places(book)["e"] == (0,)
    pinned = await book.reserve("f", 10)
    pinned.holding.pinned = True
    await book.reserve("g", 85)
    assert set(gone) == {"a", "b", "c", "d"} and places(book)["g"] == (1,)


async def test_a_wide_model_has_the_same_on_each_of_its_devices() -> None:
    book, gone = ledger(100, 100, 100), list[str]()
    evictable(await book.reserve("a", 60), gone)
    wide = await book.reserve("wide", 70, devices=2)
    assert places(book)["wide"] == (1, 2) and wide.visible == "1,2" and gone == []
    assert [book.free([at])[0] for at in range(3)] == [40, 30, 30]
    with pytest.raises(NoRoom):
        await book.reserve("too wide", 1, devices=4)
    await wide.release()
    evictable(await book.reserve("b", 60), gone)
    await book.reserve("wider", 70, devices=3)
    assert set(gone) == {"a", "b"} and places(book)["wider"] == (0, 1, 2)


async def test_a_lease_grows_where_it_lies() -> None:
    book, gone = ledger(), list[str]()
    lease = await book.reserve("a", 50)
    evictable(await book.reserve("b", 80), gone)
    evictable(await book.reserve("c", 40), gone)
    assert places(book)["c"] == (0,)
    await lease.adjust(70, 0)
    assert gone == ["c"] and places(book)["a"] == (0,)
    with pytest.raises(NoRoom):
        await lease.adjust(101, 0)


async def test_a_look_tells_each_device_whether_ours_are_on_it() -> None:
    looks: list[tuple[str, bool]] = []

    class Looked(Pool):
        def look(self, alone: bool) -> None:
            looks.append((self.name, alone))

    book = Ledger([Looked("x", "fake", 9), Looked("y", "fake", 9)], Pool("RAM", "host", 9))
    await book.reserve("a", 5)
    book._looked_at = 0.0
    looks.clear()
    await book.reserve("b", 5)
    assert looks == [("x", False), ("y", True)]


@given(
    held=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20), st.sampled_from([(0,), (1,), (0, 1)]))),
    need=st.tuples(st.integers(0, 90), st.integers(0, 90), st.integers(0, 60)),
)
@settings(max_examples=150, deadline=None)
async def test_a_plan_over_two_devices_is_whole_and_minimal(
    held: list[tuple[int, int, tuple[int, ...]]], need: tuple[int, int, int]
) -> None:
    idle = [Holding(f"{at}", size, ram, on, used_at=at) for at, (size, ram, on) in enumerate(held[:7])]

    def enough(chosen: Any) -> bool:
        freed = all(sum(one.on(place) for one in chosen) >= need[place] for place in (0, 1))
        return freed and sum(one.host for one in chosen) >= need[2]

    plan = victims(idle, {0: need[0], 1: need[1]}, need[2])
    assert (plan is not None) == enough(idle)
    if plan:
        assert enough(plan) and not any(enough(fewer) for fewer in combinations(plan, len(plan) - 1))


async def test_text_goes_over_as_many_devices_as_it_must() -> None:
    model = TextModel("a", Path("/a"), weights=60 * GIB, context=4096)
    assert [spread(model, 32, [80 * GIB] * count).tensor_parallel for count in (1, 2, 4)] == [1, 1, 1]
    assert spread(model, 32, [24 * GIB] * 4).tensor_parallel == 4
    assert spread(model, 32, [40 * GIB] * 3).tensor_parallel == 2
    assert spread(model, 40, [24 * GIB] * 3).tensor_parallel == 1  # 40 heads are not shared by three
    assert spread(model, 32, [40 * GIB, 8 * GIB]).tensor_parallel == 1


async def test_which_gpus_the_host_may_use() -> None:
    assert allowed(None, 3) == [0, 1, 2] and allowed("2,0", 3) == [0, 2]
    assert allowed("", 3) == [] and allowed("GPU-1234", 3) == [] and allowed("7", 3) == []


class Two:
    """A host's parts over two fake devices, with its HTTP."""

    def __init__(self, home: Path) -> None:
        self.models: dict[str, Model] = {name: fake(name, 60) for name in ("a", "b", "c")}
        self.ledger = ledger()
        self.family = Family(FAKE, Path(sys.executable), {})
        self.residence = Residence(self.ledger, {FAKE: self.family}, lambda: self.models)
        self.text = TextHost(self.ledger, TextOptions(home, home / "hub", (), "cpu", {}))
        shop, set_up = Shop(self.residence, home), SettingUp(home / "families", print)
        self.server = Server(shop, self.residence, self.ledger, "t", self.text, set_up)

    async def close(self) -> None:
        await self.residence.close()
        await self.family.close()
        await self.text.close()


async def test_models_on_two_devices_and_who_holds_what_of_which(tmp_path: Path) -> None:
    two = Two(tmp_path)
    runner = web.AppRunner(two.server.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with aiohttp.ClientSession(headers={"Authorization": "Bearer t"}) as http:
            for name, visible in (("a", "0"), ("b", "1")):
                async with http.post(f"{url}/models/{name}/load") as answer:
                    assert (await answer.json())["options"]["visible"] == visible
            async with http.get(f"{url}/memory") as answer:
                memory = await answer.json()
        assert [one["reserved"] for one in memory["devices"]] == [60, 60]
        shown = {one["model"]: (one["device"], one["bytes"], one["host_bytes"]) for one in memory["resident"]}
        assert shown == {"a": ([0], 60, 0), "b": ([1], 60, 0)}
        residents = [two.residence.find(name) for name in "abc"]
        assert residents[2] is not None
        two.ledger.holdings[0].used_at -= 60
        await two.residence.load(residents[2])
        assert [one.state for one in residents if one] == ["cold", "ready", "ready"]
        assert places(two.ledger) == {"b": (1,), "c": (0,)}
    finally:
        await two.close()
        await runner.cleanup()


async def test_what_can_no_longer_grow_moves_to_the_other_device(tmp_path: Path) -> None:
    two = Two(tmp_path)
    try:
        a, request = two.residence.find("a"), {"width": 64, "height": 64}
        assert a is not None
        await two.residence.load(a)
        two.ledger._holdings.append(Holding("other", 35, 0, (0,), pinned=True))
        assert places(two.ledger) == {"a": (0,), "other": (0,)}
        two.residence._peaks.learn(a.model, Manner(), shape_of(a.model, request), 90)
        async with asyncio.timeout(10), two.residence.use(a, lambda _: None, request):
            assert places(two.ledger)["a"] == (1,)
    finally:
        await two.close()
