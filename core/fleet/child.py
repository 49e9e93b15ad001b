"""A child process by its pidfd: signals cannot hit a stranger, and its exit code is read once."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

PASSED_ON = ("PATH", "HOME", "USER", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH",
             "PYTHONHOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY",
             "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy", "LD_LIBRARY_PATH",
             "BOTYARD_HOME", "BOTYARD_HOST", "BOTYARD_PORT", "BOTYARD_PUBLIC_URL")  # fmt: skip
INHERITED = 3  # the descriptor that a program finds its socket at


class Child:
    """A process that this one is the parent of; `on_exit` gets its exit code, or minus the signal."""

    def __init__(self, pid: int, on_exit: Callable[[int], None]) -> None:
        self.pid = pid
        self._on_exit = on_exit
        self._pidfd = os.pidfd_open(pid)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._pidfd, self._exited)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when the process has ended."""
        if self._pidfd < 0:
            return
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return

    def _exited(self) -> None:
        result = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG)
        if result is None:
            return
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        self._on_exit(result.si_status if result.si_code == os.CLD_EXITED else -result.si_status)


def environment(**more: str) -> dict[str, str]:
    """The environment of a child: nothing secret but what is named here."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    kept |= {name: value for name, value in os.environ.items() if name.startswith("LC_")}
    return {**kept, "PYTHONUNBUFFERED": "1", **more}


def spawn(
    module: str,
    arguments: Sequence[str],
    environ: Mapping[str, str],
    output: int,
    inherit: int | None = None,
) -> int:
    """Exec `python -m module arguments` in a group of its own; returns its pid."""
    actions: list[Any] = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_DUP2, output, 2),
    ]
    if inherit is not None:
        actions.append((os.POSIX_SPAWN_DUP2, inherit, INHERITED))
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", module, *arguments],
        environ,
        file_actions=actions,
        setsid=True,
        setsigmask=[],
        setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD],
    )


def reap_strangers(known: set[int], seen: set[int]) -> set[int]:
    """Reap adopted orphans that nobody waits for, at the second sight of their end.

    Returns what to pass as `seen` the next time. (A channel is a stranger for a moment, until the fork
    server has told its pid.)
    """
    found = set()
    for pid in _children() - known:
        try:
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended and pid in seen:
                os.waitpid(pid, os.WNOHANG)
            elif ended:
                found.add(pid)
        except ChildProcessError:
            continue
    return found


def _children() -> set[int]:
    try:
        text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    except OSError:
        return set()  # a kernel without this file: zombies stay until the orchestrator ends
    return {int(pid) for pid in text.split()}
