"""/live says that the host answers, /health that a model really works."""

import asyncio
from pathlib import Path

import pytest

from providers.engine.child import ChildDied, RunFailed
from providers.engine.models import offered
from providers.engine.proofs import Proofs
from providers.engine.proving import smallest
from providers.errors import ProviderError
from tests.engine.hosts import Host, engine_host
from tests.engine.test_host import asked, made
from tests.engine.test_ledger_residence import Place, fake, place
from tests.engine.tiny_models import MODELS, PYTHON, tiny_models

pytestmark = pytest.mark.asyncio
_ = place


async def healthy(host: Host, seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while (await host.health())[0] != 200:
            await asyncio.sleep(0.05)


async def test_healthy_after_a_real_step_and_not_after_a_failure(tmp_path: Path) -> None:
    async with engine_host(tmp_path / "home") as host:
        assert await host.asked("/live") == (200, {"status": "ok"})
        status, told = await host.health()
        assert (status, told["status"]) == (503, "unproven") and "no model" in told["why"]
        model = host.model()
        handle = await model.submit(asked(params={"steps": 40, "step_seconds": 0.1}), "k", tmp_path)
        async for progress in model.watch(handle):
            if progress.step:
                break
        assert await host.health() == (200, {"status": "ok"})
        await model.cancel(handle)
        assert (await host.health())[0] == 200  # nobody's fault
        for prompt, why in (("!crash", "signal 9"), ("!error", "told to fail")):
            with pytest.raises(ProviderError):
                await made(host, asked(prompt), tmp_path)
            status, told = await host.health()
            assert (status, told["status"]) == (503, "failing")
            assert told["why"].startswith("demo: ") and why in told["why"]
            with pytest.raises(ProviderError):
                await made(host, asked("!moderate"), tmp_path)
            assert (await host.health())[0] == 503  # a refusal proves nothing, a step after a failure neither
            await made(host, asked(), tmp_path)
            assert (await host.health())[0] == 200
        assert (await host.asked("/live"))[0] == 200


async def test_what_is_preloaded_proves_the_host_by_itself(tmp_path: Path) -> None:
    options = ("--device", "fake", "--preload", "nothing", "--preload", "demo")
    async with engine_host(tmp_path / "home", *options) as host:
        await healthy(host)
        (demo,) = [one for one in (await host.get("/models"))["models"] if one["name"] == "demo"]
        assert demo["state"] == "ready" and demo["in_use"] == 0
    async with engine_host(tmp_path / "other", "--device", "fake", "--preload", "nothing") as host:
        async with asyncio.timeout(5):
            while (await host.health())[1]["status"] == "unproven":
                await asyncio.sleep(0.05)
        status, told = await host.health()
        assert (status, told) == (503, {"status": "failing", "why": "nothing: there is no such model here"})


async def test_an_operators_load_is_proved_on_real_weights(tmp_path: Path) -> None:
    await tiny_models()
    options = ("--device", "cpu", "--models", str(MODELS), "--diffusers", str(PYTHON))
    async with engine_host(tmp_path / "home", *options, "--preload", "tiny-wan") as host:
        await healthy(host, 60)
        shown = await host.post("/models/tiny-sd/load")
        assert shown["state"] == "ready"
        assert not list((tmp_path / "home").glob("outputs/*"))


@pytest.mark.parametrize(
    ("mischief", "error"), [("!crash", ChildDied), ("!error", RunFailed), ("!memory!", RunFailed)]
)
async def test_one_that_does_not_work_is_not_ready(
    place: Place, mischief: str, error: type[Exception]
) -> None:
    place.models["sick"] = fake("sick", 10, mischief=mischief)
    with pytest.raises(error):
        await place.residence.load(place["sick"], prove=True)
    assert place["sick"].state == "failed" and place["sick"].why and place.loaded() == set()
    assert not place.residence.proofs.good and "sick" in place.residence.proofs.told()["why"]
    await place.residence.load(place["small"], prove=True)
    assert place.residence.proofs.good


async def test_a_proof_is_the_smallest_thing_that_a_model_makes(tmp_path: Path) -> None:
    for model in offered("cuda", []).values():
        request = smallest(model, tmp_path)
        assert request is not None and request["params"]["steps"] == 1, model.name
        low = model.card.low_side
        usual = model.spec["defaults"]
        fixed = (usual.get("width"), usual.get("height"))
        assert (request["width"], request["height"]) in ((low, low), fixed)
        assert bool(request["inputs"]) == ("text" not in request["task"])
        if request["task"].endswith("video"):
            frames, every = int(request["seconds"] * 16), int(model.spec.get("frames_every", 4))
            assert frames // every * every + 1 == every + 1


async def test_proofs() -> None:
    proofs = Proofs()
    proofs.tried("a", "broken")
    proofs.step("a")
    assert not proofs.good
    proofs.step("b")
    assert proofs.good and proofs.told() == {"status": "ok"}
    proofs.tried("b", "x" * 9000)
    assert proofs.told()["status"] == "failing" and len(proofs.told()["why"]) == 1000
    proofs.tried("a")
    assert proofs.good
