"""The web process's line to the orchestrator: requests and live events over the control socket."""

import asyncio
import itertools
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from core.fleet.lines import BadLine, Limits, LineSocket, decode
from core.provider_secrets import ProviderSecrets

SOCKET_NAME = "control.sock"
REPLY_LIMITS = Limits(line=16 * 1024 * 1024, unsent=4 * 1024 * 1024)
MOST_EVENTS = 1000
RETRY_SECONDS = 0.25
logger = logging.getLogger(__name__)


class ControlError(Exception):
    """The orchestrator refused a request."""


class ControlUnavailable(ControlError):
    """The orchestrator cannot be reached."""


class Control:
    """Asks the orchestrator; connects again by itself when the line breaks.

    `Control.connect(path)` does not fail when nobody listens yet: requests then wait up to `timeout`
    seconds for the line and raise ControlUnavailable.
    """

    def __init__(self, path: Path, *, timeout: float = 5.0) -> None:
        self._path = path
        self._timeout = timeout
        self._ids = itertools.count(1)
        self._replies: dict[int, asyncio.Future[Any]] = {}
        self._subscribers: set[asyncio.Queue[dict[str, Any]]] = set()
        self._lines: LineSocket | None = None
        self._connected = asyncio.Event()
        self._broken = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, path: Path | str, *, timeout: float = 5.0) -> Self:
        """Open a line that keeps itself open; gives it a moment to come up."""
        control = cls(Path(path), timeout=timeout)
        control._keeper = asyncio.create_task(control._keep_connected())
        with suppress(TimeoutError):
            await asyncio.wait_for(control._connected.wait(), 1.0)
        return control

    async def close(self) -> None:
        """Hang up."""
        if self._keeper:
            self._keeper.cancel()
            with suppress(asyncio.CancelledError):
                await self._keeper
        self._drop("closed")

    async def request(self, op: str, **args: Any) -> dict[str, Any]:
        """Ask one thing; raises ControlError with the orchestrator's words, or ControlUnavailable."""
        number = next(self._ids)
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._replies[number] = reply
        try:
            async with asyncio.timeout(self._timeout):
                await self._connected.wait()
                if self._lines is None or not self._lines.send({**args, "id": number, "op": op}):
                    raise ControlUnavailable("the orchestrator does not read its control socket")
                result: dict[str, Any] = await reply
                return result
        except TimeoutError as error:
            raise ControlUnavailable("the orchestrator does not answer") from error
        finally:
            self._replies.pop(number, None)

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Live events, best effort. After a broken line the first one is {"topic": "config"}."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(MOST_EVENTS)
        self._subscribers.add(queue)
        self._subscribe()
        try:
            while True:
                yield await queue.get()
        finally:
            self._subscribers.discard(queue)

    async def wake(self, what: str = "config", channel_id: str | None = None) -> bool:
        """Hint that rows changed: "config", or "inbox" and "outbox" of one channel.

        Only a hint (rows are the truth), so a broken line is logged and False, not an error.
        """
        try:
            await self.request("wake", what=what, channel_id=channel_id)
        except ControlUnavailable as error:
            logger.warning("wake-up %s not delivered: %s", what, error)
            return False
        return True

    async def seal(self, aad: str, text: str) -> str:
        """Have a secret sealed for the row and column that `aad` names."""
        return str((await self.request("seal", aad=aad, text=text))["sealed"])

    async def snapshot(self) -> dict[str, Any]:
        """What runs: channels by id, and components."""
        return await self.request("snapshot")

    async def logs(self, channel_id: str, after: int = 0, limit: int = 500) -> list[dict[str, Any]]:
        """Newest log lines of a channel or component ("web", ...): id, at, level, text; oldest first."""
        reply = await self.request("logs", channel_id=channel_id, after=after, limit=limit)
        return list(reply["lines"])

    async def provider_secrets(self, provider_id: str) -> ProviderSecrets:
        """The opened keys and proxies of a provider, in order of use."""
        return ProviderSecrets.from_json(await self.request("provider_secrets", provider_id=provider_id))

    async def restart(self, channel_id: str) -> None:
        """Fork a channel anew; takes a parked one up again."""
        await self.request("restart", channel_id=channel_id)

    async def _keep_connected(self) -> None:
        again = False
        while True:
            try:
                await self._open(again)
            except OSError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            again = True
            await self._broken.wait()
            await asyncio.sleep(RETRY_SECONDS)

    async def _open(self, again: bool) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, str(self._path))
        except OSError:
            sock.close()
            raise
        self._broken.clear()
        self._lines = LineSocket(sock, self._line, self._drop, REPLY_LIMITS)
        self._connected.set()
        if self._subscribers:
            self._subscribe()
            if again:
                self._publish({"topic": "config"})

    def _subscribe(self) -> None:
        if self._lines:
            self._lines.send({"id": 0, "op": "events"})

    def _line(self, line: bytes) -> None:
        try:
            message = decode(line)
        except BadLine:
            logger.error("the control socket sent a line that is not JSON")
            return
        if "event" in message:
            self._publish(message["event"])
            return
        reply = self._replies.get(message.get("id", 0))
        if reply is None or reply.done():
            return
        if "error" in message:
            reply.set_exception(ControlError(str(message["error"])))
        else:
            reply.set_result(message.get("result") or {})

    def _publish(self, event: dict[str, Any]) -> None:
        for queue in self._subscribers:
            if not queue.full():
                queue.put_nowait(event)

    def _drop(self, reason: str) -> None:
        if self._lines:
            self._lines.close()
        self._lines = None
        self._connected.clear()
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(ControlUnavailable(f"the line to the orchestrator broke: {reason}"))
        self._broken.set()
