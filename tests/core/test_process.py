"""A channel process without its fork: opening, waiting for the database, draining."""

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.channel import Host, Identity
from core.fleet.link import Link
from core.messages import OutboundMessage
from core.process import ChannelProcess
from db.channels import add_channel
from db.database import Database
from db.outbox import add_outbound
from db.trouble import Unavailable
from tests.core.channels import RecordingChannel, incoming


class Slow(RecordingChannel):
    """Opens when it is let; `receive` takes one update in, and fails like a lost database before that."""

    def __init__(self) -> None:
        super().__init__()
        self.opening, self.may_open = asyncio.Event(), asyncio.Event()
        self.troubles = 0
        self.closed = self.early = False

    async def open(self, host: Host, token: str) -> Identity:
        self.host = host
        self.opening.set()
        await self.may_open.wait()
        return Identity("@slow")

    async def receive(self) -> None:
        if self.troubles:
            self.troubles -= 1
            raise Unavailable("locked")
        await self.host.accept([incoming(1, "chat", "/help")])
        await asyncio.Event().wait()

    async def send(self, message: OutboundMessage, sent: Sequence[str]) -> AsyncIterator[str]:
        self.early |= not self.may_open.is_set()
        async for part in super().send(message, sent):
            yield part

    async def close(self) -> None:
        self.closed = True


class Supervisor:
    """The other end of the link."""

    def __init__(self, end: socket.socket, running: "asyncio.Task[int]") -> None:
        self._end = end
        self._text = ""
        self.running = running

    def tell(self, **message: Any) -> None:
        self._end.send(json.dumps(message).encode() + b"\n")

    async def until(self, good: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        while True:
            line, found, rest = self._text.partition("\n")
            if not found:
                self._text += (await asyncio.wait_for(loop.sock_recv(self._end, 65536), 5)).decode()
                continue
            self._text = rest
            if good(message := json.loads(line)):
                return dict(message)

    async def state(self, name: str) -> dict[str, Any]:
        return await self.until(lambda message: message.get("state") == name)


@asynccontextmanager
async def process(database: Database, channel: Slow, channel_id: str) -> AsyncIterator[Supervisor]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    link = Link(theirs.detach())
    await link.open()
    with TemporaryDirectory() as home:
        start = {"channel_id": channel_id, "token": "", "providers": {}, "home": home, "redis_url": ""}
        running = asyncio.create_task(ChannelProcess(link, channel, database, start).run())
        yield Supervisor(ours, running)
        running.cancel()
        await asyncio.wait({running})
    await link.close()
    ours.close()


async def a_channel(database: Database) -> str:
    async with database.transaction() as conn:
        return await add_channel(conn, kind="test", slug="a", name="a", config={})


async def test_a_drain_ends_a_channel_that_does_not_open(database: Database) -> None:
    channel = Slow()
    async with process(database, channel, await a_channel(database)) as supervisor:
        await channel.opening.wait()
        supervisor.tell(t="drain")
        assert await asyncio.wait_for(supervisor.running, 5) == 0
        assert channel.closed


async def test_nothing_is_sent_before_the_channel_is_open(database: Database) -> None:
    channel, channel_id = Slow(), await a_channel(database)
    async with process(database, channel, channel_id) as supervisor:
        await channel.opening.wait()
        async with database.transaction() as conn:
            payload = OutboundMessage(chat_key="chat", text="from an operator").to_json()
            await add_outbound(conn, channel_id, "chat", payload, None)
        supervisor.tell(t="wake", what="outbox")
        supervisor.tell(t="secrets", providers={})
        await supervisor.until(lambda message: message["t"] == "beat")
        channel.may_open.set()
        await supervisor.state("READY")
        while len(channel.sent) < 2:
            await asyncio.sleep(0.01)
        assert channel.sent[0] == ("chat", "from an operator") and not channel.early
        supervisor.tell(t="drain")
        assert await asyncio.wait_for(supervisor.running, 5) == 0


async def test_a_database_that_is_away_is_waited_for(sqlite_url: str, tmp_path: Path) -> None:
    channel_id = await a_channel(there := Database(sqlite_url))
    await there.close()
    away = tmp_path / "mounted" / "botyard.db"
    channel = Slow()
    channel.may_open.set()
    channel.troubles = 1
    database = Database(f"sqlite:///{away}", connections=1)
    async with process(database, channel, channel_id) as supervisor:
        assert "database" in (await supervisor.state("DEGRADED"))["reason"]
        away.parent.mkdir()
        shutil.copy(tmp_path / "botyard.db", away)
        await supervisor.state("READY")
        assert "locked" in (await supervisor.state("DEGRADED"))["reason"]
        await supervisor.state("READY")
        while not channel.sent:
            await asyncio.sleep(0.01)
        supervisor.tell(t="drain")
        assert await asyncio.wait_for(supervisor.running, 5) == 0
    await database.close()
