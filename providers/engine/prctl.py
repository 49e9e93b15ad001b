"""What a child process says to the kernel: die with me, call me so."""

import ctypes
import os
import signal
import sys

_SET_DEATH_SIGNAL, _SET_NAME = 1, 15


def die_with_parent(parent: int = 0) -> None:
    """Be killed when the parent dies, even by a kill of its own. `parent` is its number where that was known
    before this process began: by now it may be dead already, and another's in its place."""
    parent = parent or os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


def name_process(name: str) -> None:
    """The name that ps shows."""
    ctypes.CDLL(None).prctl(_SET_NAME, name.encode()[:15])
