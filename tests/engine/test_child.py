"""A worker's end: it has ended when its process is gone, and what has its number later is left alone."""

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator

import pytest

from providers.engine.child import Child, ChildDied
from tests.engine.test_ledger_residence import Place, place

__all__ = ["place"]
pytestmark = pytest.mark.asyncio
SLOW_TO_END = "import os,sys,time; n=int(sys.argv[1]); os.read(n, 99); os.close(n); time.sleep(0.6)"


@pytest.fixture
async def started() -> AsyncIterator[tuple[Child, asyncio.subprocess.Process]]:
    """A process that hangs up when told and ends later, as one does whose device's memory takes its time."""
    ours, theirs = socket.socketpair()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SLOW_TO_END, str(theirs.fileno()), pass_fds=(theirs.fileno(),)
    )
    theirs.close()
    ours.setblocking(False)
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def wait() -> None:
        ended.set_result(f"exit code {await process.wait()}")

    waiting = asyncio.create_task(wait())
    child = Child(process.pid, ours, ended)
    await child.open()
    yield child, process
    await waiting


async def test_it_has_stopped_when_its_process_is_gone(
    started: tuple[Child, asyncio.subprocess.Process],
) -> None:
    child, process = started
    await child.stop()
    assert process.returncode == 0 and not child.alive


async def test_its_number_may_be_anothers_by_now() -> None:
    other = await asyncio.create_subprocess_exec("sleep", "60")
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    ended.set_result("exit code 0")
    ours, theirs = socket.socketpair()
    child = Child(other.pid, ours, ended)
    child.kill()
    await asyncio.sleep(0.1)
    assert other.returncode is None
    other.kill()
    await other.wait()
    ours.close()
    theirs.close()


async def test_the_death_of_one_does_not_end_the_next(place: Place) -> None:
    """A model was loaded anew before the death of its former process was told."""
    small = place["small"]
    former = await place.residence.load(small)
    former.kill()
    with pytest.raises(ChildDied):
        await former.load({})
    fresh = await place.residence.load(small)
    await place.residence.died(small, former, "signal 9")
    assert fresh.alive and small.child is fresh and small.state == "ready" and place.loaded() == {"small"}
    began = time.monotonic()
    fresh.kill()
    await place.residence.died(small, fresh, "signal 9")
    assert small.child is None and small.state == "failed" and not place.loaded()
    assert time.monotonic() - began < 2
