"""The orchestrator as a program: it starts, is killed, leaves nothing behind, and starts again."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from core.first_start import SEEDED
from core.fleet.states import EXIT_CONFIGURATION, EXIT_LOCKED
from db.channels import add_channel, all_channels
from db.database import Database
from tests.fleet.conftest import QUICK, alive, until

ROOT = Path(__file__).parents[2]


class Program:
    """One orchestrator process and what it printed."""

    def __init__(self, environ: dict[str, str], out: Path) -> None:
        self.out = out
        with out.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.fleet.fake_orchestrator"],
                env=environ, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip

    @property
    def printed(self) -> str:
        """Its output so far."""
        return self.out.read_text()

    async def says(self, text: str, seconds: float = 15) -> None:
        """Wait for a line."""
        await until(lambda: text in self.printed, seconds, lambda: self.printed)

    async def ends(self, seconds: float = 15) -> int:
        """Wait for its end; returns the exit code."""
        await until(lambda: self.process.poll() is not None, seconds, lambda: self.printed)
        return self.process.returncode

    def children(self) -> list[int]:
        """Its child processes: channels, fork server, web."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]


@pytest.fixture
def environ(place: Path) -> dict[str, str]:
    """The environment of a fresh installation on a free port."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BOTYARD_")}
    kept.pop("DATABASE_URL", None)
    home = place / "data"
    return {**kept, "BOTYARD_HOME": str(home), "BOTYARD_PORT": str(port), "OPENAI_API_KEY": "sk-secret"}


@pytest.fixture
def programs(environ: dict[str, str], tmp_path: Path) -> Iterator[list[Program]]:
    """Programs to end when the test is over."""
    started: list[Program] = []
    yield started
    for program in started:
        if program.process.poll() is None:
            program.process.kill()
        program.process.wait()


@pytest.fixture
def home(environ: dict[str, str], sqlite_template: Path) -> Path:
    """Its folder, with a migrated database that is no first start any more."""
    home = Path(environ["BOTYARD_HOME"])
    home.mkdir(parents=True)
    shutil.copy(sqlite_template, home / "botyard.db")
    with closing(sqlite3.connect(home / "botyard.db")) as connection, connection:
        connection.execute("INSERT INTO setting (key, value) VALUES (?, 'true')", (SEEDED,))
    return home


@pytest.fixture
async def rows(home: Path) -> Database:
    """Its database, with two channels that are on."""
    database = Database(f"sqlite:///{home / 'botyard.db'}")
    async with database.transaction() as conn:
        for kind, slug in (("worker", "a"), ("worker", "b")):
            await add_channel(conn, kind=kind, slug=slug, name=slug, enabled=True, config={}, base_ids=[])
    await database.close()
    return database


def proc(pid: int, name: str) -> str:
    """A file of /proc/PID."""
    return Path(f"/proc/{pid}/{name}").read_text()


def start(programs: list[Program], environ: dict[str, str], tmp_path: Path) -> Program:
    """Start an orchestrator."""
    programs.append(Program(environ, tmp_path / f"out{len(programs)}"))
    return programs[-1]


@pytest.mark.kill
async def test_killed_it_takes_all_with_it_and_starts_again(
    programs: list[Program], environ: dict[str, str], tmp_path: Path, rows: Database
) -> None:
    first = start(programs, environ, tmp_path)
    await first.says("all 2 ready")
    await first.says("panel ready")
    children = first.children()
    assert len(children) == 4
    first.process.kill()
    second = start(programs, environ, tmp_path)
    await until(lambda: not any(alive(pid) for pid in children), 2)
    await second.says("all 2 ready")


@pytest.mark.kill
async def test_sigterm_drains_and_the_rows_say_stopped_but_wanted(
    programs: list[Program], environ: dict[str, str], tmp_path: Path, rows: Database
) -> None:
    program = start(programs, environ, tmp_path)
    await program.says("all 2 ready")
    children = program.children()
    program.process.send_signal(signal.SIGTERM)
    assert await program.ends() == 0
    assert not any(alive(pid) for pid in children)
    async with rows.reading() as conn:
        found = [(row.state, row.enabled, row.pid) for row in await all_channels(conn)]
    await rows.close()
    assert found == [("STOPPED", True, None)] * 2
    assert "control.sock" not in os.listdir(f"{environ['BOTYARD_HOME']}/run")


@pytest.mark.kill
async def test_a_killed_web_process_is_back_soon(
    programs: list[Program], environ: dict[str, str], tmp_path: Path, rows: Database
) -> None:
    program = start(programs, environ, tmp_path)
    await program.says("panel ready")
    await program.says("all 2 ready")
    log = Path(environ["BOTYARD_HOME"], "logs", "web.log")
    web = next(pid for pid in program.children() if "fake_web" in proc(pid, "cmdline"))
    environment = proc(web, "environ")
    assert "sk-secret" not in environment and "BOTYARD_SECRET_KEY=\0" in environment
    os.kill(web, signal.SIGKILL)
    await until(lambda: log.read_text().count("INFO env") == 2)


async def test_a_second_one_in_the_same_folder_exits_75(
    programs: list[Program], environ: dict[str, str], tmp_path: Path, rows: Database
) -> None:
    first = start(programs, environ, tmp_path)
    await first.says("Panel")
    second = start(programs, {**environ, "BOTYARD_PORT": "8"}, tmp_path)
    begun = time.monotonic()
    assert await second.ends() == EXIT_LOCKED
    assert time.monotonic() - begun > QUICK.takeover
    assert "Another Botyard runs in" in second.printed


async def test_settings_that_cannot_work_exit_78(
    programs: list[Program], environ: dict[str, str], tmp_path: Path
) -> None:
    bad_port = start(programs, {**environ, "BOTYARD_PORT": "many"}, tmp_path)
    file = tmp_path / "file"
    file.touch()
    bad_home = start(programs, {**environ, "BOTYARD_HOME": str(file)}, tmp_path)
    bad_host = start(programs, {**environ, "BOTYARD_HOST": "192.0.2.1"}, tmp_path)
    for program, word in ((bad_port, "PORT"), (bad_home, "BOTYARD_HOME"), (bad_host, "192.0.2.1")):
        assert await program.ends() == EXIT_CONFIGURATION
        assert word in program.printed and "Traceback" not in program.printed


@pytest.mark.kill
async def test_a_second_signal_ends_a_drain_at_once(
    programs: list[Program], environ: dict[str, str], tmp_path: Path, rows: Database
) -> None:
    async with rows.transaction() as conn:
        await add_channel(conn, kind="stubborn", slug="s", name="s", enabled=True, config={}, base_ids=[])
    await rows.close()
    program = start(programs, {**environ, "DRAIN_SECONDS": "60"}, tmp_path)
    await program.says("all 3 ready")
    program.process.send_signal(signal.SIGINT)
    await program.says("finishing")
    program.process.send_signal(signal.SIGINT)
    assert await program.ends() == 0


async def test_sighup_reads_the_fleet_file_again(
    programs: list[Program], environ: dict[str, str], tmp_path: Path, home: Path
) -> None:
    file = home / "fleet.toml"
    file.write_text('[[faq]]\nquestion = "a"\nanswer = "b"\n')
    program = start(programs, {**environ, "BOTYARD_FLEET": str(file)}, tmp_path)
    await program.says("no bots or widgets")
    program.process.send_signal(signal.SIGHUP)
    await program.says("read again")
    file.write_text('[[faq]]\nquestion = "a"\nanswer = \n')
    program.process.send_signal(signal.SIGHUP)
    await program.says("has errors")
    assert program.process.poll() is None


def test_check_prints_every_error_and_exits_2(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text('[[bots]]\nid = "A B"\ntoken = "x"\n[[widgets]]\n')
    command = [sys.executable, "orchestrator.py", "check", str(file)]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    for place in ("bots[0].id", "bots[0].token", "widgets[0].id"):
        assert place in done.stdout
