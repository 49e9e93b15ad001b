"""Files that are not as they should be: a full disk, vanished folders, broken headers, ways out of a folder.

Each ends in a clear message, and the next job runs.
"""

import asyncio
import json
import resource
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from providers.engine.child import RunFailed
from providers.engine.devices import descendants
from providers.engine.family import Family
from providers.engine.holdings import Pool
from providers.engine.ledger import Ledger
from providers.engine.models import offered
from providers.engine.residence import Residence
from providers.errors import ProviderError
from providers.media.types import Task
from tests.engine.hosts import Host, engine_host
from tests.engine.test_diffusion import asked as asked_real
from tests.engine.test_diffusion import made as made_real
from tests.engine.test_host import asked, made
from tests.engine.tiny_models import MODELS, PYTHON, tiny_models

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def host(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Host]:
    await tiny_models()
    home = tmp_path_factory.mktemp("engine")
    await asyncio.to_thread(shutil.copytree, MODELS / "tiny-sd", home / "models/well")
    async with engine_host(home, "--device", "cpu", "--diffusers", str(PYTHON)) as host:
        yield host


def broken(host: Host, name: str) -> Path:
    return Path(shutil.copytree(MODELS / "tiny-sd", host.home / "models" / name))


async def shown(host: Host, name: str) -> dict[str, str]:
    (found,) = [one for one in (await host.get("/models"))["models"] if one["name"] == name]
    return dict(found)


@pytest.mark.parametrize("task", [Task.TEXT_TO_IMAGE, Task.TEXT_TO_VIDEO])
async def test_a_full_disk_ends_the_job_and_the_next_one_runs(tmp_path: Path, task: Task) -> None:
    """The worker cannot write more than 2,000 bytes, as if the disk were full in the middle of the file."""
    async with engine_host(tmp_path / "home") as host:
        await host.post("/models/demo/load")
        assert host.process is not None
        workers = [psutil.Process(pid) for pid in await asyncio.to_thread(descendants, host.process.pid)]
        for worker in workers:
            worker.rlimit(resource.RLIMIT_FSIZE, (2000, resource.RLIM_INFINITY))
        with pytest.raises(ProviderError, match=r"the host's disk: .*File too large"):
            await made(host, asked(task=task, seconds=1.0, width=512, height=512), tmp_path)
        assert not list((tmp_path / "home/outputs").iterdir())
        status, told = await host.health()
        assert status == 503 and "File too large" in told["why"]
        for worker in workers:
            worker.rlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert (await made(host, asked(task=task, seconds=1.0), tmp_path))[0]
        assert (await host.health())[0] == 200


async def test_a_place_for_results_that_cannot_be_made(tmp_path: Path) -> None:
    async with engine_host(tmp_path / "home") as host:
        (tmp_path / "home").mkdir(exist_ok=True)
        (tmp_path / "home/outputs").write_text("in the way")
        with pytest.raises(ProviderError, match="the host's disk: Not a directory"):
            await made(host, asked(), tmp_path)
        (tmp_path / "home/outputs").unlink()
        assert (await made(host, asked(), tmp_path))[0]


async def test_a_folder_that_vanishes_before_it_is_loaded(host: Host, tmp_path: Path) -> None:
    folder = broken(host, "gone")
    models = offered("cpu", [host.home / "models"])
    family = Family("diffusers", PYTHON, {"OMP_NUM_THREADS": "1", "BOTYARD_ENGINE_DEVICE": "cpu"})
    ledger = Ledger([Pool("CPU", "cpu", 2**40)], Pool("RAM", "host", 2**40))
    residence = Residence(ledger, {"diffusers": family}, lambda: models)  # as it was looked at before
    try:
        resident = residence.find("gone")
        assert resident is not None and (await shown(host, "gone"))["state"] == "cold"
        await asyncio.to_thread(shutil.rmtree, folder)
        with pytest.raises(RunFailed, match="its files are gone from this machine's disk") as caught:
            await residence.load(resident)
        assert caught.value.kind == "model_gone" and not ledger.holdings
    finally:
        await residence.close()
        await family.close()
    assert all(one["name"] != "gone" for one in (await host.get("/models"))["models"])
    with pytest.raises(ProviderError, match="no such model"):
        await made_real(host, "gone", asked_real(), tmp_path)
    assert (await made_real(host, "well", asked_real(), tmp_path))[0]


@pytest.mark.parametrize("kind", ["length", "json", "cut"])
async def test_a_broken_header_of_weights(host: Host, tmp_path: Path, kind: str) -> None:
    (weights,) = (broken(host, f"broken-{kind}") / "unet").glob("*.safetensors")
    data = weights.read_bytes()
    bad = {
        "length": b"\xff" * 8 + data[8:],
        "json": data[:8] + b"[" * 100 + data[108:],
        "cut": data[: len(data) // 2],
    }
    weights.write_bytes(bad[kind])
    with pytest.raises(ProviderError, match=r"[Ss]afetensor|header|Header|incomplete") as caught:
        await made_real(host, f"broken-{kind}", asked_real(), tmp_path)
    assert caught.value.error_class != "caller"
    found = await shown(host, f"broken-{kind}")
    assert found["state"] == "failed" and found["why"]
    assert (await made_real(host, "well", asked_real(), tmp_path))[0]


@pytest.mark.parametrize("way", ["part", "shard", "absolute", "nonsense"])
async def test_an_index_that_leads_out_of_the_folder(host: Host, tmp_path: Path, way: str) -> None:
    folder = broken(host, f"escape-{way}")
    if way == "part":
        index = json.loads((folder / "model_index.json").read_text())
        index["../well/unet"] = index.pop("unet")
        (folder / "model_index.json").write_text(json.dumps(index))
    else:
        place = "/etc/passwd" if way == "absolute" else "../../well/unet/diffusion_pytorch_model.safetensors"
        told = "[[[" if way == "nonsense" else json.dumps({"metadata": {}, "weight_map": {"a": place}})
        (folder / "unet/diffusion_pytorch_model.safetensors.index.json").write_text(told)
    why = "cannot be read" if way == "nonsense" else "names what lies elsewhere"
    with pytest.raises(ProviderError, match=why):
        await made_real(host, f"escape-{way}", asked_real(), tmp_path)
    found = await shown(host, f"escape-{way}")
    assert found["state"] == "absent" and f"index.json {why}" in found["unsafe"]
    assert (await made_real(host, "well", asked_real(), tmp_path))[0]
