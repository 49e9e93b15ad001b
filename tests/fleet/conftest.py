"""A supervisor over real processes of the fake kinds, in a folder of its own."""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.fleet.control import SOCKET_NAME, Control
from core.fleet.logs import open_logs
from core.fleet.parts import Parts, Setup
from core.fleet.states import Timing
from core.fleet.supervisor import Supervisor
from core.fleet.unit import Unit
from core.kinds import ChannelKind
from core.secrets import load_vault
from core.settings import Settings
from db.channels import add_channel, change_channel, get_channel
from db.database import Database
from db.settings import bump_config
from db.tables import METADATA

ENTRY = "tests.fleet.fake_process"
NAMES = ("worker", "crash", "refused", "blocked", "deaf", "noisy", "stubborn", "late")
KINDS = {
    name: ChannelKind(
        ENTRY, refork_keys=("port",), token_lock=True, deaf_after=1.0 if name == "deaf" else 0.0,
        generation=2 if name == "late" else 1,
    )
    for name in NAMES
}  # fmt: skip
QUICK = Timing(
    tick=0.05,
    reconcile=0.3,
    silent=1.5,
    dump=0.3,
    drain=1.0,
    restart=0.2,
    backoff_most=0.3,
    fork=3.0,
    takeover=3.0,
)


class Yard:
    """A supervisor under test with its rows."""

    def __init__(self, settings: Settings, database: Database, web_module: str = "") -> None:
        self.settings = settings
        self.database = database
        self.vault = load_vault(settings)
        settings.run_dir.mkdir(parents=True, exist_ok=True)
        self.logs = open_logs(settings)
        setup = Setup(settings, database, self.vault, Parts(KINDS, ENTRY, web_module, QUICK))
        self.supervisor = Supervisor(setup, self.logs)

    async def add(self, kind: str, slug: str = "one", token: str = "", **values: Any) -> str:
        """A new channel row."""
        async with self.database.transaction() as conn:
            row = {"name": slug, "enabled": True, "config": {}, "base_ids": [], **values}
            channel_id = await add_channel(conn, kind=kind, slug=slug, **row)
            if token:
                sealed = self.vault.seal(token, f"channel.secret.{channel_id}")
                await change_channel(conn, channel_id, secret=sealed)
            await bump_config(conn)
        self.supervisor.wake()
        return channel_id

    async def change(self, channel_id: str, **values: Any) -> None:
        """Change a row, as the panel would."""
        async with self.database.transaction() as conn:
            await change_channel(conn, channel_id, **values)
            await bump_config(conn)
        self.supervisor.wake(channel_id)

    async def row(self, channel_id: str) -> Any:
        """The row as it is now."""
        async with self.database.reading() as conn:
            return await get_channel(conn, channel_id)

    def unit(self, channel_id: str) -> Unit:
        """The supervisor's view of a channel."""
        return self.supervisor.units[channel_id]

    def said(self, channel_id: str) -> str:
        """The channel's log."""
        return "\n".join(line.text for line in self.unit(channel_id).log.ring)

    async def state(self, channel_id: str, state: str, seconds: float = 5.0) -> Unit:
        """Wait until a channel is in a state."""
        await until(lambda: channel_id in self.supervisor.units, seconds)
        await until(lambda: self.unit(channel_id).state == state, seconds, lambda: self.said(channel_id))
        return self.unit(channel_id)


async def until(true: Callable[[], Any], seconds: float = 5.0, why: Callable[[], str] = lambda: "") -> None:
    """Poll a condition of real processes that no event tells of."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, why()
        await asyncio.sleep(0.01)


def stat_of(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def alive(pid: int) -> bool:
    """True while the process runs (a zombie does not)."""
    try:
        return stat_of(pid)[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a short path, so that the sockets' folder is inside it."""
    with tempfile.TemporaryDirectory(prefix="by-") as folder:
        yield Path(folder)


@pytest.fixture
def settings(place: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of an empty installation."""
    for name in [name for name in os.environ if name.startswith("BOTYARD_") or name == "DATABASE_URL"]:
        monkeypatch.delenv(name)
    return Settings(_env_file=None, home=place / "data")  # type: ignore[call-arg]


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """An empty database with all tables."""
    settings.home.mkdir(parents=True)
    database = Database(settings.database_url)
    async with database.transaction() as conn:
        await conn.run_sync(METADATA.create_all)
    yield database
    await database.close()


@pytest.fixture
async def yard(settings: Settings, database: Database) -> AsyncIterator[Yard]:
    """A running supervisor without a web process."""
    yard = Yard(settings, database)
    await yard.supervisor.start()
    yield yard
    await yard.supervisor.stop()
    assert yard.supervisor.pids() == []


@pytest.fixture
async def control(yard: Yard) -> AsyncIterator[Control]:
    """The web process's end of the control socket."""
    control = await Control.connect(yard.settings.run_dir / SOCKET_NAME)
    yield control
    await control.close()
