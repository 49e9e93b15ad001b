"""The orchestrator's side of the fork server: keeps one running, has kinds preloaded, asks for forks."""

import asyncio
import itertools
import json
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.fleet.child import INHERITED, environment
from core.fleet.component import Command, Component
from core.fleet.logs import Log
from core.fleet.states import READY, Timing
from core.kinds import ChannelKind
from core.media.opening import credentials

PRELOAD_SECONDS = 120.0
LONGEST_REPLY = 64 * 1024
logger = logging.getLogger(__name__)


class ForkServerGone(Exception):
    """The fork server ended before it forked; ask the next one."""


class Forks:
    """One fork server at a time. Channels that a dead one forked live on."""

    def __init__(
        self, kinds: Mapping[str, ChannelKind], entry: str, database_url: str, timing: Timing
    ) -> None:
        self.component: Component | None = None
        self._kinds = kinds
        self._entry = entry
        self._environ = environment(DATABASE_URL=database_url, **credentials())
        self._timing = timing
        self._on_ready: Callable[[], None] = lambda: None
        self._ids = itertools.count(1)
        self._control: socket.socket | None = None
        self._needed: set[str] = set()
        self._preloaded: set[str] = set()
        self._preloading_until = 0.0
        self._pending: dict[int, tuple[asyncio.Future[int], float]] = {}

    def attach(self, log: Log, on_change: Callable[[], None]) -> Component:
        """Name the log and who hears of changes; returns the component to show."""
        self._on_ready = on_change
        self.component = Component("forkserver", log, on_change)
        return self.component

    def need(self, kinds: set[str]) -> None:
        """Have these kinds ready; the first call with any starts the fork server."""
        self._needed |= kinds & set(self._kinds)
        if self.component and self._needed:
            self.component.want()
        self._preload_next()

    def ready_for(self, kind: str) -> bool:
        """True when a fork of this kind would come from warm memory, now."""
        return self._control is not None and kind in self._preloaded

    def fork(self, kind: str, name: str, descriptors: Sequence[int]) -> "asyncio.Future[int]":
        """Ask for a channel process; the future is its pid, or ForkServerGone."""
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        number = next(self._ids)
        request = {"op": "fork", "id": number, "kind": kind, "name": name}
        try:
            if self._control is None:
                raise OSError("not running")
            socket.send_fds(self._control, [json.dumps(request).encode()], list(descriptors))
        except OSError as error:
            future.set_exception(ForkServerGone(str(error)))
        else:
            self._pending[number] = (future, time.monotonic() + self._timing.fork)
        return future

    def tick(self, now: float) -> None:
        """Launch one when it is due; kill one that does not answer."""
        component = self.component
        if component is None:
            return
        if component.due(now):
            self._launch(component)
        late = any(now > until for _, until in self._pending.values())
        if (late and now > self._preloading_until) or 0 < self._preloading_until < now:
            logger.error("the fork server does not answer and is killed")
            component.kill()

    def stop(self) -> None:
        """End the fork server."""
        if self.component:
            self.component.stop()

    def _launch(self, component: Component) -> None:
        self._gone()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            arguments = (str(INHERITED), str(os.getpid()), self._entry)
            component.launch(Command("core.fleet.forkserver", arguments, self._environ, theirs.fileno()))
        self._control = ours
        asyncio.get_running_loop().add_reader(ours, self._readable)
        self._preload_next()

    def _preload_next(self) -> None:
        """One generation at a time, so that forks of the first can go between."""
        missing = self._needed - self._preloaded
        if self._control is None or self._preloading_until or not missing:
            return
        first = min(self._kinds[kind].generation for kind in missing)
        modules = {
            kind: self._kinds[kind].module for kind in missing if self._kinds[kind].generation == first
        }
        self._preloading_until = time.monotonic() + PRELOAD_SECONDS
        try:
            self._control.send(json.dumps({"op": "preload", "modules": modules}).encode())
        except OSError as error:
            logger.warning("the fork server cannot be asked: %s", error)

    def _readable(self) -> None:
        assert self._control is not None
        try:
            data = self._control.recv(LONGEST_REPLY)
        except (BlockingIOError, ConnectionResetError):
            return  # after a reset, what it had sent can still be read, and then the end
        if not data:
            self._gone()
            return
        self._take(json.loads(data))

    def _take(self, reply: dict[str, Any]) -> None:
        if "preloaded" in reply:
            self._preloading_until = 0.0
            self._preloaded |= set(reply["preloaded"])
            logger.info("fork server: %s ready in %.2f s", ", ".join(reply["preloaded"]), reply["seconds"])
            if self.component:
                self.component.become(READY)
            self._on_ready()
            asyncio.get_running_loop().call_soon(self._preload_next)
        elif (pending := self._pending.pop(reply["id"], None)) and not pending[0].done():
            pending[0].set_result(reply["pid"])

    def _gone(self) -> None:
        if self._control:
            asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
        self._control = None
        self._preloaded.clear()
        self._preloading_until = 0.0
        pending, self._pending = self._pending, {}
        for future, _ in pending.values():
            if not future.done():
                future.set_exception(ForkServerGone("the fork server ended"))
