"""A small host for channels under test: takes updates in, and answers them when told how."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from bots.telegram import TelegramChannel
from core.channel import Identity, PictureLost, PreviewTarget
from core.instance import Instance
from core.messages import InboundMessage, Incoming, OutboundMessage
from tests.fakes.bot_api import FakeBotApi

TOKEN = "11:secret"


class SmallHost:
    """Keeps what it accepts; `turn`, if set, runs for each new update. `running` are chats with an answer."""

    def __init__(self, api_base: str) -> None:
        self.instance = Instance("1", "telegram", "bot", "Bot", {"api_base": api_base}, 1)
        self.accepted: list[Incoming] = []
        self.batches: list[int] = []
        self.failures: list[Exception] = []
        self.running: set[str] = set()
        self.stopped: list[str] = []
        self.troubles: list[str] = []
        self.heards = 0
        self.shelf = SmallShelf()
        self.turn: Callable[[Incoming], Awaitable[None]] | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.changed = asyncio.Event()

    async def accept(self, batch: Sequence[Incoming]) -> list[bool]:
        if self.failures:
            raise self.failures.pop()
        known = {one.external_id for one in self.accepted}
        new = [one for one in batch if one.external_id not in known]
        self.accepted += new
        self.batches.append(len(batch))
        if self.turn:
            for one in new:
                task = asyncio.ensure_future(self.turn(one))
                self.tasks.add(task)
        self.changed.set()
        return [one in new for one in batch]

    def stop(self, chat_key: str) -> bool:
        self.stopped.append(chat_key)
        self.changed.set()
        return chat_key in self.running

    async def say(self, chat_key: str, text: str, *, plain: bool = True) -> None:
        raise NotImplementedError

    async def history(self, chat_key: str, limit: int = 50) -> list[dict[str, Any]]:
        return []

    def heard(self) -> None:
        self.heards += 1
        self.changed.set()

    def degraded(self, reason: str) -> None:
        self.troubles.append(reason)
        self.changed.set()

    async def until(self, ready: Callable[[], bool], timeout: float = 5.0) -> None:
        """Wait until a condition holds; looked at after each call of the host."""
        async with asyncio.timeout(timeout):
            while not ready():
                self.changed.clear()
                await self.changed.wait()

    async def made_for(self, artifact: str, chat_key: str) -> tuple[bytes, str] | None:
        return None


class SmallShelf:
    """Files by their keys, and what bots have remembered of them; `public` is where people reach them."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.known: dict[tuple[str, str], str] = {}
        self.public = "https://chat.example/media/"

    async def read(self, key: str) -> bytes:
        if key not in self.files:
            raise PictureLost(key)
        return self.files[key]

    async def sent_as(self, artifacts: Sequence[str], name: str) -> Mapping[str, str]:
        return {one: self.known[one, name] for one in artifacts if (one, name) in self.known}

    def remember(self, known: Mapping[str, str], name: str) -> None:
        self.known |= {(artifact, name): one for artifact, one in known.items()}

    async def link(self, artifact: str) -> str:
        return self.public and self.public + artifact


class Live:
    """An open channel with its host."""

    def __init__(self, channel: TelegramChannel, host: SmallHost, identity: Identity) -> None:
        self.channel, self.host, self.identity = channel, host, identity
        self.receiving: asyncio.Task[None] | None = None
        self.saved: list[str] = []

    def receive(self) -> asyncio.Task[None]:
        """Begin to poll."""
        self.receiving = asyncio.create_task(self.channel.receive())
        return self.receiving

    async def send(self, chat: int | str, text: str, *sent: str, **fields: Any) -> list[str]:
        """Send a message whole; the ids of its parts."""
        message = OutboundMessage(str(chat), text, **fields)
        return [one async for one in self.channel.send(message, sent)]

    def preview(self, message: InboundMessage, existing: str | None = None) -> Any:
        """A preview of an answer to a message."""
        return self.channel.preview(message, PreviewTarget("turn-1", existing, self.saved.append))


@asynccontextmanager
async def open_channel(api: FakeBotApi, token: str = TOKEN) -> AsyncIterator[Live]:
    """A channel signed in at the fake server; its menu is set when this yields."""
    host = SmallHost(api.url)
    channel = TelegramChannel()
    live = Live(channel, host, await channel.open(host, token))
    await api.wait(lambda: api.count("setMyCommands") >= 2)
    api.calls.clear()
    try:
        yield live
    finally:
        tasks = [*host.tasks, *([live.receiving] if live.receiving else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await channel.close()
