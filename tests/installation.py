"""A whole Botyard as a newcomer starts it: `orchestrator.py run` in a folder of its own."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parent.parent
TOKEN = "test-admin-token-0123456789abcdef"


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_until(check: Callable[[], Any], timeout: float, what: str) -> Any:
    """Call `check` until it returns something true; raises TimeoutError with `what`."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        value = check()
        if value:
            return value
        time.sleep(0.02)
    raise TimeoutError(f"not within {timeout} s: {what}")


class Installation:
    """Starts, kills and asks one installation; every process of it ends with `stop()`."""

    def __init__(self, home: Path, **env: str) -> None:
        self.home = home
        self.port = free_port()
        self.env = {
            **{key: value for key, value in os.environ.items() if not key.endswith(("_API_KEY", "_TOKEN"))},
            "BOTYARD_HOME": str(home),
            "BOTYARD_PORT": str(self.port),
            "BOTYARD_ADMIN_TOKEN": TOKEN,
            "BOTYARD_ENGINE_PORT": str(free_port()),
            "PYTHONUNBUFFERED": "1",
            **env,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.log = home.parent / f"{home.name}.log"

    @property
    def url(self) -> str:
        """Where the web process listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, *arguments: str, ready: bool = True, timeout: float = 60.0) -> float:
        """Start and wait until all that should run is ready; returns the seconds it took."""
        begun = time.monotonic()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "orchestrator.py", "run", *arguments],
                cwd=ROOT, env=self.env, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        if ready:
            self.wait_ready(timeout)
        return time.monotonic() - begun

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until /ready says so."""

        def ready() -> bool:
            assert self.process is not None
            if self.process.poll() is not None:
                raise RuntimeError(f"ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}")
            return self.get("/ready")[0] == 200

        try:
            wait_until(ready, timeout, "ready")
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self.get('/ready')}\n{self.log.read_text()[-3000:]}") from error

    def get(self, path: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
        """One request with the admin token: status and JSON (or text); status 0 when nobody listens."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                status, raw = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, raw = error.code, error.read()
            error.close()
        except OSError:
            return 0, None
        try:
            return status, json.loads(raw)
        except ValueError:
            return status, raw.decode(errors="replace")

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read the SQLite database from outside."""
        connection = sqlite3.connect(f"file:{self.home / 'botyard.db'}?mode=ro", uri=True, timeout=10)
        try:
            return connection.execute(query, values).fetchall()
        finally:
            connection.close()

    def pid(self, name: str) -> int | None:
        """The process of "orchestrator", "web", "forkserver", or of an instance by its slug."""
        assert self.process is not None
        if name == "orchestrator":
            return self.process.pid if self.process.poll() is None else None
        if name in ("web", "forkserver", "jobs", "engine", "worker"):
            return self._child({f"by-{name}"})
        return self._child({f"telegram-{name}"[:15], f"widget-{name}"[:15]})

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Send a signal (kill -9) to a process by name; returns its pid."""
        pid = int(wait_until(lambda: self.pid(name), 10, f"{name} runs"))
        os.kill(pid, number)
        if name == "orchestrator" and self.process is not None and number == signal.SIGKILL:
            self.process.wait()
        return pid

    def descendants(self) -> list[psutil.Process]:
        """Every process of this installation, found by its BOTYARD_HOME or its parent."""
        if self.process is None:
            return []
        try:
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def stop(self, timeout: float = 30.0) -> int | None:
        """SIGTERM, then SIGKILL to whatever is left; returns the exit code."""
        if self.process is None:
            return None
        family = self.descendants()
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        _, alive = psutil.wait_procs(family, timeout=5)
        for process in alive:
            process.kill()
        return self.process.returncode

    def _child(self, names: set[str]) -> int | None:
        """By the name that ps shows: a row may still name the process before."""
        for process in self.descendants():
            comm = Path(f"/proc/{process.pid}/comm")
            with suppress(OSError, psutil.Error):
                if comm.read_text().strip() in names and process.status() != psutil.STATUS_ZOMBIE:
                    return int(process.pid)
        return None
