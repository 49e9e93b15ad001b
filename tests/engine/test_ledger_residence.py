"""Models in memory, with real worker processes: loaded as asked, grown, evicted, measured and given up."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from providers.engine.breaker import FAILURES
from providers.engine.child import ChildDied, RunFailed
from providers.engine.family import Family
from providers.engine.holdings import Pool
from providers.engine.ledger import Ledger
from providers.engine.models import FAKE, Model, offered
from providers.engine.peaks import Manner, Peaks, shape_of
from providers.engine.residence import Residence, SetAside
from providers.engine.text.memory import NoRoom
from providers.media.cards import card_of
from tests.engine.hosts import ROOT
from tests.engine.test_catalog import repository, tensors

pytestmark = pytest.mark.asyncio
PYTHON = ROOT / ".venv-diffusers/bin/python"
TINY = ROOT / ".cache/tiny"


def fake(name: str, size: int, **spec: Any) -> Model:
    card = card_of({"name": name, "label": name, "tasks": ["text_to_image"]})
    return Model(name, FAKE, card, spec, size)


class Place:
    """A residence of fake models on a fake device of 100 bytes, without a hold."""

    def __init__(self, peaks: Peaks | None = None, hold: float = 0.0) -> None:
        sizes = {"small": 30, "middle": 60, "large": 90, "huge": 200}
        self.models = {name: fake(name, size) for name, size in sizes.items()}
        self.ledger = Ledger([Pool("fake", "fake", 100)], Pool("RAM", "host", 100), hold=hold)
        self.family = Family(FAKE, Path(sys.executable), {})
        self.residence = Residence(self.ledger, {FAKE: self.family}, lambda: self.models, peaks)

    def __getitem__(self, name: str) -> Any:
        return self.residence.find(name)

    def loaded(self) -> set[str]:
        return {one.model for one in self.ledger.holdings}

    async def close(self) -> None:
        await self.residence.close()
        await self.family.close()


@pytest_asyncio.fixture
async def place() -> AsyncIterator[Place]:
    made = Place()
    yield made
    await made.close()


def _alive(pid: int) -> bool:
    """Whether a process is there, and is no mere entry that waits to be reaped."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def test_models_make_room_for_each_other(place: Place) -> None:
    for name in ("small", "middle"):
        await place.residence.load(place[name])
    assert place.loaded() == {"small", "middle"}
    pids = {name: place[name].child.pid for name in ("small", "middle")}
    await place.residence.load(place["large"])
    assert place.loaded() == {"large"} and place["small"].state == "cold"
    assert not any(_alive(pid) for pid in pids.values())
    with pytest.raises(NoRoom, match="needs 200 bytes, 100 can be had"):
        await place.residence.load(place["huge"])
    assert place.loaded() == {"large"}


async def test_one_in_use_or_pinned_stays(place: Place) -> None:
    small = place["small"]
    waited: list[str] = []
    async with place.residence.use(small, waited.append) as child:
        waiting = asyncio.create_task(place.residence.load(place["large"]))
        await asyncio.sleep(0.5)
        assert not waiting.done() and child.alive and not await place.residence.unload(small)
    assert waited == ["waiting", "loading"]
    await asyncio.wait_for(waiting, 5)
    assert place.loaded() == {"large"}
    place.residence.pin(place["large"], True)
    with pytest.raises(NoRoom) as caught:
        await place.residence.load(place["small"])
    assert caught.value.held_by == ("large",)


async def test_what_runs_took_is_what_room_is_asked_for(tmp_path: Path) -> None:
    peaks = Peaks(tmp_path / "peaks.json")
    place = Place(peaks)
    try:
        small, request = place["small"], {"width": 64, "height": 64, "count": 1}
        await place.residence.load(place["middle"])
        async with place.residence.use(small, lambda _: None, request):
            await place.residence.learn(small, request, 45)  # more than there is room for: it is so
        assert small.lease.holding.device == 45 and place.ledger.free()[0] == -5
        await place.residence.unload(small)
        async with place.residence.use(small, lambda _: None, request):
            assert place.loaded() == {"small"} and small.lease.holding.device == 45
        await place.residence.learn(small, request, 20)
        assert small.lease.holding.device == 45
        other = {"width": 640, "height": 640}
        async with place.residence.use(small, lambda _: None, other):
            await place.residence.learn(small, other, 20)
        assert small.lease.holding.device == 20
        assert peaks.need(small.model, Manner(), shape_of(small.model, request), "fake").device == 45
    finally:
        await place.close()


async def test_two_that_grow_do_not_wait_for_each_other_for_ever(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.engine.residence.GROW_SECONDS", 0.4)
    request = {"width": 64, "height": 64}
    for name in ("small", "middle"):
        await place.residence.load(place[name])
        place.residence._peaks.learn(place[name].model, Manner(), shape_of(place[name].model, request), 80)

    async def used(name: str) -> None:
        async with place.residence.use(place[name], lambda _: None, request):
            assert place.loaded() >= {name} and place.ledger.free()[0] >= 0
            await asyncio.sleep(0.1)

    await asyncio.wait_for(asyncio.gather(used("small"), used("middle")), 10)


async def test_a_busy_model_lets_another_one_in(place: Place) -> None:
    place.ledger.patience = 0.3
    small, stop = place["small"], asyncio.Event()

    async def busy() -> None:
        while not stop.is_set():
            async with place.residence.use(small, lambda _: None):
                await asyncio.sleep(0.1)

    tasks = [asyncio.create_task(busy()) for _ in range(3)]
    await asyncio.sleep(0.5)
    await asyncio.wait_for(place.residence.load(place["large"]), 8)
    stop.set()
    await asyncio.wait_for(asyncio.gather(*tasks), 8)


async def test_giving_up_a_load_ends_its_process(place: Place) -> None:
    place.models["slow"] = fake("slow", 50, load_seconds=30)
    loading = asyncio.create_task(place.residence.load(place["slow"]))
    async with asyncio.timeout(5):
        while place["slow"].state != "loading" or not place.ledger.holdings:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    assert place.loaded() == set() and place["slow"].state == "cold"


async def test_a_model_that_dies_again_and_again_rests(place: Place) -> None:
    small = place["small"]
    for _ in range(FAILURES):
        await place.residence.load(small)
        await place.residence.died(small, small.child, "signal 9")
    with pytest.raises(SetAside, match="rests for"):
        await place.residence.load(small)
    await place.residence.load(place["middle"])
    place.models["sick"] = fake("sick", 10, mischief="!crash")
    for _ in range(FAILURES):
        with pytest.raises(ChildDied):
            await place.residence.load(place["sick"], prove=True)
    with pytest.raises(SetAside):
        await place.residence.load(place["sick"], prove=True)


async def test_a_load_that_ran_out_of_memory_is_more_sparing_next_time(place: Place) -> None:
    place.models["large one"] = fake("large one", 10, mischief="!memory")
    with pytest.raises(RunFailed, match="full"):
        await place.residence.load(place["large one"], prove=True)
    await place.residence.load(place["large one"], prove=True)
    assert str(place["large one"].manner) == "offload"


@pytest.mark.parametrize(
    ("device_gb", "asked", "profile"),
    [
        (80, None, "fast"), (80, "group", "group"), (16, None, "offload"), (16, "fast", "offload"),
        (8, None, "group"), (1, None, "low"),
    ],
)  # fmt: skip
async def test_the_fastest_profile_that_fits_a_gpu(
    tmp_path: Path, device_gb: int, asked: str | None, profile: str
) -> None:
    folder = repository(tmp_path, "a")
    tensors(folder / "unet/model.safetensors", 6, 10**9)  # 12 GB in half precision, and 8 GB
    tensors(folder / "vae/model.safetensors", 4, 10**9)
    model = offered("cuda", [tmp_path])["a"]
    ledger = Ledger([Pool("gpu", "cuda", device_gb * 10**9)], Pool("RAM", "host", 64 * 10**9))
    residence = Residence(ledger, {}, lambda: {"a": model})
    resident = residence.find("a")
    assert resident is not None
    request = {"width": 512, "height": 512, "params": {"profile": asked} if asked else {}}
    assert str(residence.fitting.manner(resident, request)) == profile
    residence.fitting.check(resident, request)
    large = {
        "width": 8192,
        "height": 8192,
        "count": 4,
    }  # a guess of 537 GB: who knows, it has the whole device
    if device_gb > 1:
        residence.fitting.check(resident, large)
    resident.profile = 3
    assert str(residence.fitting.manner(resident, request)) == "low"
    ledger.host.external = 60 * 10**9
    with pytest.raises(NoRoom, match="needs 20000000000 bytes, 4000000000 can be had"):
        residence.fitting.check(resident, request)


async def test_pictures_in_other_precisions_and_profiles_on_real_weights(tmp_path: Path) -> None:
    if not (TINY / "tiny-flux/model_index.json").exists():
        environ = {"OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
        building = await asyncio.create_subprocess_exec(
            PYTHON, ROOT / "tests/engine/tiny.py", TINY, env=environ
        )
        assert await building.wait() == 0
    family = Family("diffusers", PYTHON, {"OMP_NUM_THREADS": "1", "BOTYARD_ENGINE_DEVICE": "cpu"})
    ledger = Ledger([Pool("CPU", "cpu", 2**40)], Pool("RAM", "host", 2**40))
    residence = Residence(ledger, {"diffusers": family}, lambda: offered("cpu", [TINY]))

    async def made(name: str, number: int = 0, **params: Any) -> dict[str, Any]:
        request = {
            "task": "text_to_image", "prompt": "a red cat", "width": 64, "height": 64, "seed": 1,
            "count": 1, "params": {"steps": 2, **params},
        }  # fmt: skip
        resident = residence.find(name)
        assert resident is not None
        out = tmp_path / f"{name}{number}{params}"
        out.mkdir()
        async with residence.use(resident, lambda _: None, request) as child:
            found = await child.run({"id": str(out), "request": request, "out": str(out)}, lambda _: None)
            await residence.learn(resident, request, found["peak"])
            assert ledger.holdings[-1].device >= found["peak"] > 50_000_000
        picture = await asyncio.to_thread(Path(found["files"][0]["path"]).read_bytes)
        return {**found["settings"], "picture": picture, "pid": child.pid, **resident.options}

    try:
        plain = await made("tiny-flux")
        assert plain["quantise"] == ["fp8"] and plain["attention"] == ["native"]
        eight = await made("tiny-flux", quantise="fp8")
        assert eight["pid"] != plain["pid"] and eight["picture"] != plain["picture"]
        again = await made("tiny-flux", 2, quantise="fp8", attention="native")
        assert again["pid"] == eight["pid"] and again["picture"] == eight["picture"]
        low = await made("tiny-flux", profile="low")
        assert low["profile"] == "low" and low["pid"] != eight["pid"]
        assert (await made("tiny-flux", 3))["picture"] == plain["picture"]
        with pytest.raises(RunFailed, match=r"int4: this machine can do fp8; .*engines install diffusers"):
            await made("tiny-flux", quantise="int4")
        with pytest.raises(RunFailed, match="attention sage: this machine has native"):
            await made("tiny-flux", attention="sage")
    finally:
        await residence.close()
        await family.close()
