"""A family's warmed parent, as the host sees it: started at first demand, asked for workers."""

import asyncio
import itertools
import json
import logging
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from providers.engine.child import Child

ROOT = Path(__file__).parent.parent.parent
WARM_SECONDS = 180.0
FORK_SECONDS = 10.0
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "HF_HOME")
BOOT = (
    "import os,sys; d=int(sys.argv[1]); f=sys.argv[2]\n"
    "if d!=3: os.dup2(d,3); os.close(d)\n"
    "import importlib; importlib.import_module('providers.engine.warm').main(f)"
)
logger = logging.getLogger(__name__)


class NoFamily(Exception):
    """A family cannot be used: it is not installed, or its parent does not start."""


class Family:
    """One family and, from the first demand on, its parent. `python` is its interpreter."""

    def __init__(self, name: str, python: Path, environ: Mapping[str, str]) -> None:
        self.name = name
        self.python = python
        self.warm_seconds: float | None = None
        self._environ = {**environ, "PYTHONPATH": str(ROOT)}
        self._parent: Parent | None = None
        self._starting = asyncio.Lock()
        self._leaving: dict[Parent, asyncio.Task[None]] = {}

    @property
    def installed(self) -> bool:
        """Whether its interpreter is there."""
        return self.python.exists()

    async def fork(self) -> Child:
        """A new worker. Raises NoFamily."""
        async with self._starting:
            parent = await self._running()
        try:
            return await parent.fork()
        except (OSError, TimeoutError) as error:
            await parent.close()
            raise NoFamily(f"the parent of {self.name} does not fork") from error

    def retire(self) -> None:
        """Its environment is another one from now on: the next worker has a new parent, and the old parent
        ends with its last worker."""
        parent, self._parent = self._parent, None
        if parent is not None:
            task = self._leaving[parent] = asyncio.create_task(parent.leave())
            task.add_done_callback(lambda _: self._leaving.pop(parent, None))

    async def close(self) -> None:
        """End every parent, and with them every worker."""
        for parent, task in list(self._leaving.items()):
            task.cancel()
            await parent.close()
        if self._parent is not None:
            await self._parent.close()
        self._parent = None

    async def _running(self) -> "Parent":
        """A parent that is warm."""
        if self._parent is not None and self._parent.alive:
            return self._parent
        if not self.installed:
            raise NoFamily(
                f"{self.name} is not installed: python orchestrator.py engines install {self.name}"
            )
        began = time.monotonic()
        parent = await Parent.start(self.name, self.python, self._environ)
        try:
            await parent.warm()
        except (TimeoutError, ConnectionError) as error:
            await parent.close()
            raise NoFamily(f"the parent of {self.name} did not start; see the log") from error
        except BaseException:
            await parent.close()
            raise
        self._parent = parent
        self.warm_seconds = time.monotonic() - began
        logger.info("%s is warm after %.1f s", self.name, self.warm_seconds)
        return parent


class Parent:
    """One parent process; it tells of its workers' ends."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, sock: socket.socket) -> None:
        self._name = name
        self._process = process
        self._sock = sock
        self._ids = itertools.count(1)
        self._ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._forks: dict[int, asyncio.Future[int]] = {0: self._ready}
        self._ended: dict[int, asyncio.Future[str]] = {}
        self._listener = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, name: str, python: Path, environ: Mapping[str, str]) -> "Parent":
        """Start one; it is not warm yet."""
        ours, theirs = socket.socketpair()
        kept = {key: os.environ[key] for key in KEPT if key in os.environ}
        descriptor = theirs.fileno()
        try:
            process = await asyncio.create_subprocess_exec(
                str(python), "-c", BOOT, str(descriptor), name,
                env={**kept, **environ}, pass_fds=(descriptor,), stdin=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
        except OSError as error:
            ours.close()
            raise NoFamily(f"{name} cannot be run: {error}") from error
        finally:
            theirs.close()
        ours.setblocking(False)
        return cls(name, process, ours)

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self._process.returncode is None and not self._listener.done()

    async def warm(self) -> None:
        """Until it has imported what its models need. Raises TimeoutError or ConnectionError."""
        await asyncio.wait_for(self._ready, WARM_SECONDS)

    async def fork(self) -> Child:
        """A new worker. Raises OSError or TimeoutError."""
        number, loop = next(self._ids), asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        answer = self._forks[number] = loop.create_future()
        ended = self._ended[number] = loop.create_future()
        try:
            socket.send_fds(self._sock, [json.dumps({"id": number}).encode()], [theirs.fileno()])
            pid = await asyncio.wait_for(answer, FORK_SECONDS)
        except BaseException:
            ours.close()
            self._ended.pop(number)
            raise
        finally:
            theirs.close()
            self._forks.pop(number, None)
        ours.setblocking(False)
        child = Child(pid, ours, ended)
        await child.open()
        return child

    async def leave(self) -> None:
        """End it once its last worker has ended."""
        if self._ended:
            await asyncio.wait(set(self._ended.values()))
        await self.close()

    async def close(self) -> None:
        """End it, and with it every worker."""
        self._listener.cancel()
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()
        self._sock.close()
        self._lost()

    async def _listen(self) -> None:
        loop, rest = asyncio.get_running_loop(), b""
        try:
            while chunk := await loop.sock_recv(self._sock, 65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._heard(json.loads(line))
        except OSError as error:
            logger.warning("the line to the parent of %s broke: %s", self._name, error)
        self._lost()

    def _lost(self) -> None:
        """Nothing more will be heard of it."""
        for future in self._forks.values():
            if not future.done():
                future.set_exception(ConnectionError("the parent ended"))
        for ended in self._ended.values():
            if not ended.done():
                ended.set_result("its parent ended")

    def _heard(self, message: dict[str, Any]) -> None:
        if message.get("ready"):
            self._settle(0, 0)
        elif "pid" in message:
            self._settle(int(message["id"]), int(message["pid"]))
        elif ended := self._ended.pop(int(message.get("ended", 0)), None):
            code = int(message["code"])
            ended.set_result(f"signal {-code}" if code < 0 else f"exit code {code}")

    def _settle(self, number: int, pid: int) -> None:
        future = self._forks.get(number)
        if future is not None and not future.done():
            future.set_result(pid)
