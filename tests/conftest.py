"""Fixtures that every test may use."""

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from core.routing.state import RestStore, open_state
from db.database import Database
from db.migrate import main as migrate
from tests.postgres import postgres_server
from tests.redis import RedisServer, redis_server


def pytest_configure(config: pytest.Config) -> None:
    """A folder for everything temporary, of subprocesses too, that goes when the tests have ended. pytest's
    own folders stay where they are: who looks for the reason of a failure needs them."""
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
    folder = tempfile.mkdtemp(prefix="byt-")  # short: sockets' paths are
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A PostgreSQL server with a migrated template database; yields its address."""
    with postgres_server() as url:
        _apart(_make_template(url))
        yield url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "botyard.db"
    _apart(migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh migrated SQLite database."""
    shutil.copy(sqlite_template, tmp_path / "botyard.db")
    return f"sqlite:///{tmp_path / 'botyard.db'}"


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """A fresh migrated database; the test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        database = Database(request.getfixturevalue("sqlite_url"))
        yield database
        await database.close()
        return
    server = request.getfixturevalue("postgres")
    name = f"test_{uuid.uuid4().hex}"
    await execute(server, f"CREATE DATABASE {name} TEMPLATE botyard_template")
    database = Database(server.replace("/postgres?", f"/{name}?"))
    yield database
    await database.close()
    await execute(server, f"DROP DATABASE {name}")


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A fresh Redis server."""
    with redis_server(tmp_path) as server:
        yield server


@pytest.fixture(params=["file", "redis"])
def new_state(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], RestStore]:
    """Makes another process's store of rests, over one file and over one Redis."""
    url = request.getfixturevalue("redis").url if request.param == "redis" else ""
    return lambda: open_state(tmp_path, url)


def _apart(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine in a loop of its own, in a thread: a test's loop may be running already."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


async def _make_template(url: str) -> None:
    await execute(url, "CREATE DATABASE botyard_template")
    await migrate(url.replace("/postgres?", "/botyard_template?"))


async def execute(url: str, statement: str) -> None:
    """Run one statement outside of a transaction."""
    database = Database(url)
    async with database.backend.connect() as conn:
        await conn.execution_options(isolation_level="AUTOCOMMIT")
        await conn.execute(text(statement))
    await database.close()
