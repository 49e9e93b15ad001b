"""File locks that the kernel releases when their holder dies, however it dies."""

import fcntl
import hashlib
import os
import time
from pathlib import Path
from typing import Self

POLL_SECONDS = 0.1


class LockHeld(Exception):
    """Another process holds the lock."""


class FileLock:
    """An exclusive lock on a file; held until `release` or the end of the process."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path, *, wait: float = 0.0) -> Self:
        """Take the lock, waiting up to `wait` seconds; raises LockHeld."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() >= deadline:
                    os.close(descriptor)
                    raise LockHeld(str(path)) from error
                time.sleep(POLL_SECONDS)
            else:
                return cls(descriptor)

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


def lock_token(folder: Path, token: str) -> FileLock:
    """The lock that makes one poller per token; the file's name tells nothing of the token."""
    digest = hashlib.sha256(token.strip().encode()).hexdigest()[:32]
    return FileLock.take(folder / f"token-{digest}.lock")
