"""The folder, the lock and the port that one Botyard needs for itself."""

import os
import resource
import stat
import time
from pathlib import Path

from core.fleet.locks import FileLock, LockHeld
from core.fleet.states import EXIT_CONFIGURATION, EXIT_LOCKED
from core.fleet.terminal import Terminal
from core.fleet.web import port_is_free
from core.settings import Settings

POLL_SECONDS = 0.2
MOST_FILES = 65536


class StartFailed(Exception):
    """Why Botyard does not start; the text is for the person at the terminal."""

    def __init__(self, code: int, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.code = code


def prepare_folders(settings: Settings, terminal: Terminal) -> None:
    """Make the folders; nobody else may look into what is kept there."""
    os.umask(0o077)
    for folder in (settings.home, settings.run_dir):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _check_owner(folder)
        except OSError as error:
            reason = error.strerror or str(error)
            raise StartFailed(
                EXIT_CONFIGURATION, terminal.text("folder", path=folder, reason=reason)
            ) from error


def take_home(settings: Settings, terminal: Terminal, wait: float) -> FileLock:
    """The lock on BOTYARD_HOME; waits a moment for one that was killed to be gone."""
    path = settings.home / "orchestrator.lock"
    try:
        return FileLock.take(path)
    except LockHeld:
        terminal.say("lock", path=settings.home)
    try:
        return FileLock.take(path, wait=wait)
    except LockHeld as error:
        raise StartFailed(EXIT_LOCKED, terminal.text("locked", path=settings.home)) from error


def await_port(settings: Settings, terminal: Terminal, wait: float) -> None:
    """Wait until the web process can listen."""
    deadline = time.monotonic() + wait
    told = False
    while not _port_is_free(settings, terminal):
        if time.monotonic() > deadline:
            text = terminal.text("port_taken", host=settings.host, port=settings.port)
            raise StartFailed(EXIT_LOCKED, text)
        if not told:
            terminal.say("port", port=settings.port)
            told = True
        time.sleep(POLL_SECONDS)


def raise_file_limit() -> None:
    """As many open files as we may have: each channel takes three here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _port_is_free(settings: Settings, terminal: Terminal) -> bool:
    try:
        return port_is_free(settings.host, settings.port)
    except OSError as error:
        text = terminal.text("host_wrong", host=settings.host, reason=error.strerror)
        raise StartFailed(EXIT_CONFIGURATION, text) from error


def _check_owner(folder: Path) -> None:
    found = folder.stat()
    if found.st_uid != os.geteuid():
        raise PermissionError(1, "it belongs to another user", str(folder))
    if stat.S_IMODE(found.st_mode) & 0o022:
        folder.chmod(stat.S_IMODE(found.st_mode) & 0o755)
