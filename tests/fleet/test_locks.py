"""Locks go when their holder goes."""

import subprocess
import sys
from pathlib import Path

import pytest

from core.fleet.locks import FileLock, LockHeld, lock_token

HOLDER = """
import sys, pathlib
from core.fleet.locks import FileLock
lock = FileLock.take(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_one_token_one_lock_whatever_the_spaces(tmp_path: Path) -> None:
    lock = lock_token(tmp_path, "1:token")
    with pytest.raises(LockHeld):
        lock_token(tmp_path, " 1:token\n")
    lock_token(tmp_path, "2:token").release()
    lock.release()
    lock_token(tmp_path, "1:token").release()
    assert not any("token:" in path.name or "1:" in path.name for path in tmp_path.iterdir())


@pytest.mark.kill
def test_a_killed_holder_gives_the_lock_back(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        with pytest.raises(LockHeld):
            FileLock.take(path)
        holder.kill()
        FileLock.take(path, wait=2).release()
