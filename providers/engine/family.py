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
KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "HF_HOME")
logger = logging.getLogger(__name__)


class NoFamily(Exception):
    """A family cannot be used: it is not installed, or its parent does not start."""


class Family:
    """One family's parent process. `python` is its interpreter."""

    def __init__(self, name: str, python: Path, environ: Mapping[str, str]) -> None:
        self.name = name
        self.python = python
        self._environ = {**environ, "PYTHONPATH": str(ROOT)}
        self._process: asyncio.subprocess.Process | None = None
        self._sock: socket.socket | None = None
        self._ids = itertools.count(1)
        self._forks: dict[int, asyncio.Future[int]] = {}
        self._ended: dict[int, asyncio.Future[str]] = {}
        self._starting = asyncio.Lock()
        self._listener: asyncio.Task[None] | None = None
        self.warm_seconds: float | None = None

    @property
    def installed(self) -> bool:
        """Whether its interpreter is there."""
        return self.python.exists()

    async def fork(self) -> Child:
        """A new worker. Raises NoFamily."""
        async with self._starting:
            await self._ensure()
        number = next(self._ids)
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        answer = self._forks[number] = loop.create_future()
        self._ended[number] = loop.create_future()
        try:
            assert self._sock is not None
            socket.send_fds(self._sock, [json.dumps({"id": number}).encode()], [theirs.fileno()])
            pid = await asyncio.wait_for(answer, FORK_SECONDS)
        except (OSError, TimeoutError) as error:
            ours.close()
            await self.close()
            raise NoFamily(f"the parent of {self.name} does not fork") from error
        finally:
            theirs.close()
            self._forks.pop(number, None)
        ours.setblocking(False)
        child = Child(pid, ours, self._ended[number])
        await child.open()
        return child

    async def close(self) -> None:
        """End the parent, and with it every worker."""
        if self._listener is not None:
            self._listener.cancel()
        if self._sock is not None:
            self._sock.close()
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._process = self._sock = self._listener = None

    async def _ensure(self) -> None:
        """Have the parent running and warm."""
        if self._process is not None and self._process.returncode is None and self._sock is not None:
            return
        if not self.installed:
            raise NoFamily(
                f"{self.name} is not installed: python orchestrator.py engines install {self.name}"
            )
        await self.close()
        began = time.monotonic()
        ours, theirs = socket.socketpair()
        environ = {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ
        }
        descriptor = theirs.fileno()
        self._process = await asyncio.create_subprocess_exec(
            str(self.python), "-c", BOOT, str(descriptor), self.name,
            env={**environ, **self._environ}, pass_fds=(descriptor,), stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        theirs.close()
        ours.setblocking(False)
        self._sock = ours
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._forks[0] = ready
        self._listener = asyncio.create_task(self._listen(ours))
        try:
            await asyncio.wait_for(ready, WARM_SECONDS)
        except (TimeoutError, ConnectionError) as error:
            await self.close()
            raise NoFamily(f"the parent of {self.name} did not start; see the log") from error
        self.warm_seconds = time.monotonic() - began
        logger.info("%s is warm after %.1f s", self.name, self.warm_seconds)

    async def _listen(self, sock: socket.socket) -> None:
        loop, rest = asyncio.get_running_loop(), b""
        try:
            while chunk := await loop.sock_recv(sock, 65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._heard(json.loads(line))
        except OSError as error:
            logger.warning("the line to the parent of %s broke: %s", self.name, error)
        for future in [*self._forks.values()]:
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
        elif (ended := self._ended.get(int(message.get("ended", 0)))) and not ended.done():
            code = int(message["code"])
            ended.set_result(f"signal {-code}" if code < 0 else f"exit code {code}")

    def _settle(self, number: int, pid: int) -> None:
        future = self._forks.get(number)
        if future is not None and not future.done():
            future.set_result(pid)


BOOT = (
    "import os,sys; d=int(sys.argv[1]); f=sys.argv[2]\n"
    "if d!=3: os.dup2(d,3); os.close(d)\n"
    "import importlib; importlib.import_module('providers.engine.warm').main(f)"
)
