"""The jobs runner's process: `python -m core.jobs`, started by the orchestrator when there is work."""

import asyncio
import logging
import signal
import sys
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from core.fleet.control import SOCKET_NAME, Control, ControlError
from core.fleet.locks import FileLock, LockHeld
from core.jobs import durable
from core.jobs.bench import Bench
from core.jobs.runner import Runner
from core.media.opening import open_store
from core.media.presets import Presets
from core.routing.book import RouteBook
from core.routing.cooldown import Cooldown
from core.routing.state import open_state
from core.settings import Settings, load_settings
from db.base import new_id
from db.database import Database

NAME = "jobs"
NAME_FILE = "jobs.runner"
BAD_CONFIGURATION = 78
LOCK_HELD = 75
PATIENCE = 10.0  # seconds for a runner that was killed to let go
BEAT_EVERY = 5.0
SHUT_WITHIN = 5  # seconds that running steps may take to end
logger = logging.getLogger("core.jobs")


async def serve(settings: Settings) -> int:
    """Run jobs until told to stop; returns the exit code."""
    database = Database(settings.database_url, connections=4)
    control = await Control.connect(settings.run_dir / SOCKET_NAME)

    async def wake(channel_id: str) -> None:
        await control.wake("outbox", channel_id)

    bench = Bench(
        database, RouteBook(database, control.provider_secrets, ControlError),
        Cooldown(open_state(settings.home, settings.redis_url)), open_store(settings),
        settings.home.resolve() / "jobs", wake, Presets(database),
    )  # fmt: skip
    name = own_name(settings.home)
    runner = Runner(bench, settings.queues, durable.run, name)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    durable.launch(bench, settings.home.resolve(), settings.database_url, name)
    parts = [runner.run(), _listen(control, runner), _beat(control), stopping.wait()]
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not stopping.is_set():
            done.pop().result()  # raises what ended it
        return 0
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(durable.shut, SHUT_WITHIN)
        await bench.close()
        await control.close()
        await database.close()


def own_name(home: Path) -> str:
    """What tells this home's runner from those of other machines: drawn at its first start, then kept."""
    file = home / NAME_FILE
    with suppress(FileNotFoundError):
        return file.read_text(encoding="ascii").strip()
    part = file.with_suffix(".part")
    part.write_text(new_id(), encoding="ascii")
    part.rename(file)
    return file.read_text(encoding="ascii")


async def _listen(control: Control, runner: Runner) -> None:
    async for event in control.events():
        if event.get("topic") in ("jobs", "config"):
            runner.wake()


async def _beat(control: Control) -> None:
    while True:
        with suppress(ControlError):
            await control.request("beat", name=NAME)
        await asyncio.sleep(BEAT_EVERY)


def main() -> int:
    """Read the settings and serve; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        settings = load_settings()
    except ValidationError as error:
        for problem in error.errors(include_input=False, include_url=False):
            logger.error("%s: %s", ".".join(map(str, problem["loc"])), problem["msg"])
        return BAD_CONFIGURATION
    try:
        lock = FileLock.take(settings.home / "jobs.lock", wait=PATIENCE)
    except LockHeld:
        logger.error("another jobs runner works in %s", settings.home)
        return LOCK_HELD
    try:
        return asyncio.run(serve(settings))
    finally:
        lock.release()


if __name__ == "__main__":
    sys.exit(main())
