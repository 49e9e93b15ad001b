"""A loaded model's process, as the host sees it: JSON lines over a socket pair, its end seen at once."""

import asyncio
import json
import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

LONGEST_LINE = 8 * 1024 * 1024  # a preview in base64
logger = logging.getLogger(__name__)


class ChildDied(Exception):
    """The process ended; the text says how."""


class RunFailed(Exception):
    """A run that the process itself gave up: `kind` is an error class (providers/errors.py),
    "memory", or "disk": nothing can be written."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Cancelled(Exception):
    """The run was cancelled, and the process is well."""


class Child:
    """One process with one model. `on_event` of a run gets steps and previews."""

    def __init__(self, pid: int, sock: socket.socket, ended: "asyncio.Future[str]") -> None:
        self.pid = pid
        self._sock = sock
        self._ended = ended
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._listeners: dict[str, Callable[[dict[str, Any]], None]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Begin to listen."""
        reader, self._writer = await asyncio.open_connection(sock=self._sock, limit=LONGEST_LINE)
        self._reading = asyncio.create_task(self._read(reader))

    @property
    def alive(self) -> bool:
        """Whether it has not ended yet."""
        return self._reading is not None and not self._reading.done()

    async def load(self, model: dict[str, Any]) -> dict[str, Any]:
        """Load a model; what it tells of itself (bytes, options). Raises RunFailed or ChildDied."""
        return await self._ask("load", {"do": "load", "id": "load", "model": model})

    async def run(self, job: dict[str, Any], on_event: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """Make one thing; its files and settings. Raises RunFailed, Cancelled or ChildDied."""
        self._listeners[job["id"]] = on_event
        try:
            return await self._ask(job["id"], {"do": "run", **job})
        finally:
            self._listeners.pop(job["id"], None)

    def cancel(self, job_id: str) -> None:
        """Ask a run to stop at its next step."""
        self._send({"do": "cancel", "id": job_id})

    def kill(self) -> None:
        """End it at once. One that has ended is left alone: its number may be another's by now."""
        if not self._ended.done():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def stop(self, patience: float = 5.0) -> None:
        """End it: told first, then killed. Its line breaks before its device's memory is free: only a process
        that is gone holds nothing."""
        self._send({"do": "unload"})
        if self._reading is not None:
            both: set[asyncio.Future[Any]] = {self._reading, self._ended}
            _, left = await asyncio.wait(both, timeout=patience)
            if left:
                self.kill()
                await asyncio.wait(left, timeout=patience)

    async def _ask(self, key: str, message: dict[str, Any]) -> dict[str, Any]:
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[key] = future
        if not self.alive:
            raise ChildDied(await self._why())
        self._send(message)
        try:
            answer = await future
        finally:
            self._waiting.pop(key, None)
        match answer["event"]:
            case "error":
                raise RunFailed(str(answer.get("class", "transient")), str(answer.get("message", "")))
            case "cancelled":
                raise Cancelled
            case "died":
                raise ChildDied(await self._why())
        return answer

    def _send(self, message: dict[str, Any]) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                self._heard(json.loads(line))
        except (OSError, ValueError) as error:
            logger.warning("child %s: %s", self.pid, error)
            self.kill()
        finally:
            if self._writer is not None:
                self._writer.close()
            for future in self._waiting.values():
                if not future.done():
                    future.set_result({"event": "died"})

    def _heard(self, message: dict[str, Any]) -> None:
        key = str(message.get("id", ""))
        if message.get("event") in ("step", "preview"):
            if key in self._listeners:
                self._listeners[key](message)
        elif key in self._waiting and not self._waiting[key].done():
            self._waiting[key].set_result(message)

    async def _why(self) -> str:
        try:
            return await asyncio.wait_for(asyncio.shield(self._ended), 1.0)
        except TimeoutError:
            return "it closed its line"
