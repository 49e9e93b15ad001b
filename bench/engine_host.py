"""The engine host: what it weighs idle, what it costs per job, and how soon a worker of it is ready."""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.processes import pss_kb
from bench.report import spread, table
from providers.engine.devices import descendants
from providers.engine.family import ROOT, Family
from providers.media.types import MediaRequest, Task
from tests.engine.hosts import Host, engine_host

JOBS = 60
STEPS, STEP_SECONDS = 8, 0.02
FORKS = 10
DIFFUSERS = ROOT / ".venv-diffusers/bin/python"
MODELS = ROOT / ".cache/tiny"
COLD = "from providers.engine import diffusion; diffusion.warm()"


def run() -> str:
    """Measure; returns a Markdown section."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_measured(Path(folder)))


async def _measured(folder: Path) -> str:
    async with engine_host(folder / "fake", "--device", "fake") as host:
        weight = await _idle(host)
        overhead, drawing = await _overheads(host, folder)
    ready = await _ready()
    building = [DIFFUSERS, ROOT / "tests/engine/tiny.py", MODELS]
    await asyncio.to_thread(subprocess.run, building, check=True, capture_output=True)
    options = ("--device", "cpu", "--models", str(MODELS), "--diffusers", str(DIFFUSERS))
    async with engine_host(folder / "cpu", *options) as host:
        loads, workers = await _loads(host)
    rows = [
        ("host, idle, right after its start: RSS MB", f"{weight:.0f}"),
        (f"a job of {STEPS} steps beyond its own {STEPS * STEP_SECONDS:.2f} s and {drawing * 1000:.1f} ms of"
         f" drawing, submit to done, {JOBS} jobs: median / p95 ms", spread(overhead)),
        ("import of torch and diffusers in a fresh process: s", f"{_cold():.1f}"),
        ("parent of diffusers, from nothing to warm: s", f"{ready[0]:.1f}"),
        (f"a worker forked from it, {FORKS} times: median / p95 ms", spread(ready[1])),
        ("a tiny model loaded through the host, parent warm, median / p95 ms", spread(loads)),
        ("the parent and that worker: PSS MB", " + ".join(f"{one:.0f}" for one in workers)),
    ]  # fmt: skip
    return table(("what", "measured"), rows)


async def _idle(host: Host) -> float:
    assert host.process is not None
    await asyncio.sleep(1)
    status = await asyncio.to_thread(Path(f"/proc/{host.process.pid}/status").read_text)
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:"))


async def _overheads(host: Host, folder: Path) -> tuple[list[float], float]:
    """Seconds beyond the engine's own, job by job, and what it takes to draw one picture."""
    params = {"steps": STEPS, "step_seconds": STEP_SECONDS}
    drawing = await _drawing()
    found = []
    for number in range(JOBS + 3):
        request = MediaRequest(Task.TEXT_TO_IMAGE, "hills", width=128, height=128, seed=1, params=params)
        model, begun = host.model(), time.monotonic()
        handle = await model.submit(request, f"job-{number}", folder)
        async for _ in model.watch(handle):
            pass
        found.append(time.monotonic() - begun - STEPS * STEP_SECONDS - drawing)
        await model.discard(handle)
    return found[3:], drawing


async def _drawing() -> float:
    """Seconds that the fake engine draws and saves, measured in a process of its own."""
    code = (
        "import time, io; from providers.engine.fake import draw\n"
        "def once():\n"
        "    t = time.perf_counter(); draw('hills', 1, (128, 128)).save(io.BytesIO(), 'PNG')\n"
        "    return time.perf_counter() - t\n"
        "print(sorted(once() for _ in range(21))[10])"
    )
    run = await asyncio.create_subprocess_exec(sys.executable, "-c", code, cwd=ROOT, stdout=subprocess.PIPE)
    told, _ = await run.communicate()
    return float(told)


async def _ready() -> tuple[float, list[float]]:
    """Seconds until the parent is warm, and each fork's until the worker answers."""
    family = Family("diffusers", DIFFUSERS, {"OMP_NUM_THREADS": "1", "BOTYARD_ENGINE_DEVICE": "cpu"})
    forks = []
    try:
        await (await family.fork()).stop()
        for _ in range(FORKS):
            begun = time.monotonic()
            child = await family.fork()
            forks.append(time.monotonic() - begun)
            await child.stop()
        return family.warm_seconds or 0.0, forks
    finally:
        await family.close()


async def _loads(host: Host) -> tuple[list[float], list[float]]:
    """Seconds of loading a tiny model again and again; PSS of the parent and of the worker."""
    found = []
    for _ in range(FORKS + 1):
        begun = time.monotonic()
        await host.post("/models/tiny-sd/load")
        found.append(time.monotonic() - begun)
        if len(found) <= FORKS:
            await host.post("/models/tiny-sd/unload")
    assert host.process is not None
    pids = sorted(await asyncio.to_thread(descendants, host.process.pid))
    return found[1:], [pss_kb(pid) / 1024 for pid in pids]


def _cold() -> float:
    times = []
    for _ in range(3):
        begun = time.monotonic()
        environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([DIFFUSERS, "-c", COLD], check=True, capture_output=True, cwd=ROOT, env=environ)
        times.append(time.monotonic() - begun)
    return statistics.median(times)
