"""A family's warmed parent: renewed while its workers work."""

import asyncio
import sys
from pathlib import Path

import psutil
import pytest

from providers.engine.family import Family, NoFamily
from tests.engine.hosts import ROOT
from tests.engine.text_support import until

pytestmark = pytest.mark.asyncio


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def test_a_renewed_family_has_a_new_parent_and_the_old_worker_works_on() -> None:
    family = Family("fake", Path(sys.executable), {})
    try:
        first = await family.fork()
        family.retire()
        second = await family.fork()
        old, new = (psutil.Process(one.pid).ppid() for one in (first, second))
        assert old != new and first.alive and alive(old)
        assert (await first.load({"bytes": 7}))["bytes"] == 7
        await first.stop()
        await until(lambda: not alive(old))
        assert alive(new) and second.alive
        third = await family.fork()
        assert psutil.Process(third.pid).ppid() == new
        family.retire()
    finally:
        await family.close()
    await until(lambda: not (second.alive or third.alive))
    assert not alive(new) and not alive(third.pid)


async def test_an_interpreter_that_is_none_is_told(tmp_path: Path) -> None:
    python = tmp_path / "python"
    with pytest.raises(NoFamily, match="fake is not installed"):
        await Family("fake", python, {}).fork()
    python.write_text("no program")
    with pytest.raises(NoFamily, match="fake cannot be run"):
        await Family("fake", python, {}).fork()
    python.write_text("#!/bin/false\n")
    python.chmod(0o755)
    with pytest.raises(NoFamily, match="did not start"):
        await Family("fake", python, {}).fork()


LATE = """
import os, sys, time
from providers.engine.prctl import die_with_parent

parent = os.getpid()
if os.fork() == 0:
    while os.getppid() == parent:
        time.sleep(0.01)
    die_with_parent(parent)
    print("it lives on", flush=True)
"""


async def test_a_worker_whose_parent_died_before_its_first_words_ends() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", LATE, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await asyncio.wait_for(process.communicate(), 10)
    assert told == b""
