"""Media: what a job costs beside the engine's own time, and what the parts weigh.

The floor of a job is the same request made straight to the engine host. The engine is the fake one, whose
steps take no time: what is left is all overhead.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from bench.report import table
from core.fleet.control import SOCKET_NAME, Control
from core.jobs.order import Order, Wish
from core.jobs.submit import submit
from db.database import Database
from db.jobs import get_job
from providers.media.engine import EngineHost
from providers.media.types import MediaRequest, Task
from providers.types import ProviderConfig
from tests.installation import Installation, wait_until

JOBS = 60
PARAMS = {"steps": 1, "step_seconds": 0.0}
SIZE = 128


def run() -> str:
    """Measure; returns a Markdown section."""
    with tempfile.TemporaryDirectory(prefix="botyard-media-") as folder:
        installation = Installation(Path(folder) / "home", OMP_NUM_THREADS="1")
        installation.start()
        try:
            return asyncio.run(_measure(installation))
        finally:
            installation.stop()


async def _measure(installation: Installation) -> str:
    database = Database(f"sqlite:///{installation.home / 'botyard.db'}")
    try:
        first = await _job(installation, database, 0)
        jobs = [await _job(installation, database, at) for at in range(1, JOBS + 1)]
        token = _token(installation)
        engine = await _direct(installation, token)
        sizes = {name: _memory(installation, name) for name in ("jobs", "engine", "worker")}
    finally:
        await database.close()
    median, floor = statistics.median(jobs), statistics.median(engine)
    rows = [
        ("a job, ordered to stored and answered", f"{median * 1000:.0f}", f"{_worst(jobs) * 1000:.0f}"),
        ("the same, straight at the engine host", f"{floor * 1000:.0f}", f"{_worst(engine) * 1000:.0f}"),
        ("overhead", f"{(median - floor) * 1000:.0f}", ""),
    ]
    held = table(("process", "RSS MB"), [(name, f"{size / 1e6:.0f}") for name, size in sizes.items()])
    return (
        table(("what", "median ms", "95 % ms"), rows)
        + f"\n\nThe very first job, with runner, host and engine still to start: {first:.1f} s.\n\n{held}"
    )


async def _job(installation: Installation, database: Database, at: int) -> float:
    """Order one job and wait for its end; the seconds between."""
    wish = Wish(Task.TEXT_TO_IMAGE, f"bench {at}", width=SIZE, height=SIZE, seed=1, params=PARAMS)
    began = time.monotonic()
    row = await submit(database, Order(wish, ("engine:demo",), "api", key=f"bench-{at}", queue="gpu"))
    await asyncio.to_thread(_wake, installation)
    while True:
        async with database.reading() as conn:
            row = await get_job(conn, row.id)
        if row.status in ("done", "failed"):
            assert row.status == "done", row.error
            return time.monotonic() - began
        await asyncio.sleep(0.003)


def _wake(installation: Installation) -> None:
    """As every process that orders a job does: through the orchestrator's control socket."""
    asyncio.run(_told(installation))


async def _told(installation: Installation) -> None:
    control = await Control.connect(installation.home / "run" / SOCKET_NAME)
    await control.wake("jobs")
    await control.close()


async def _direct(installation: Installation, token: str) -> list[float]:
    address = f"http://127.0.0.1:{installation.env['BOTYARD_ENGINE_PORT']}"
    host = EngineHost(ProviderConfig("engine", "engine", address, (token,)))
    model = host.model("demo", token)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for at in range(JOBS):
            request = MediaRequest(
                Task.TEXT_TO_IMAGE, f"bench {at}", width=SIZE, height=SIZE, seed=1, params=PARAMS
            )
            began = time.monotonic()
            handle = await model.submit(request, f"direct-{at}", Path(folder))
            async for _ in model.watch(handle):
                pass
            await model.fetch(handle, Path(folder))
            found.append(time.monotonic() - began)
    await host.close()
    return found


def _token(installation: Installation) -> str:
    """The engine host's, from the environment that its process was started with."""
    pid = int(wait_until(lambda: installation.pid("engine"), 10, "the engine host runs"))
    environ = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next(one.split(b"=", 1)[1].decode() for one in environ if one.startswith(b"BOTYARD_ENGINE_TOKEN="))


def _memory(installation: Installation, name: str) -> int:
    pid = installation.pid(name)
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1] if pid else "0"
    return int(pages) * 4096


def _worst(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]
