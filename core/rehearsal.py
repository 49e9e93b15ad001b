"""Warming up before a fork: whole turns, so that children share the memory that those touch.

A forked process copies every page that it writes to, and Python writes to whatever it uses (reference
counts). What was compiled, cached and specialised before the fork is shared as long as it is not touched,
and does not have to be made again by each child. The figures are in docs/benchmarks.md.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from core.channel import Host, Identity, JobView, Preview, PreviewTarget
from core.host import ChannelHost
from core.instances import load_instance
from core.media.routes import DEFAULTS
from core.messages import InboundMessage, Incoming, OutboundMessage
from core.pictures import Picture
from core.routing.cooldown import Cooldown
from core.routing.resting import Failure
from core.routing.state import RestStore, open_state
from db import channels, inbox, knowledge, providers, settings, slugs, usage
from db.database import Database
from db.media import MediaRoute
from providers.errors import ErrorClass
from providers.media.cards import vendor_cards

ROUNDS = 8  # CPython specialises a function's bytecode after its eighth run
BASE = "rehearsal"
_rehearsed: dict[str, Database] = {}


class _Undo(Exception):
    """Rolls the rehearsal back."""


def rehearse_database(url: str) -> None:
    """Run turns inside a transaction that is rolled back, then close all connections and the loop.

    Call before the fork, in a process without a running loop.
    """
    database = Database(url, connections=1)
    asyncio.run(_rehearse(database))
    for _ in range(ROUNDS):  # as a child does it: a new loop, a new connection
        asyncio.run(_connect(database))
    _rehearsed[url] = database


def rehearsed_database(url: str) -> Database:
    """The database object that was warmed up before the fork, or a new one."""
    return _rehearsed.pop(url, None) or Database(url, connections=1)


class _Stage(Database):
    """A database whose transactions are all part of one that will be rolled back."""

    def __init__(self, database: Database, connection: AsyncConnection) -> None:
        self.url, self.is_sqlite, self.backend = database.url, database.is_sqlite, database.backend
        self._connection = connection
        self._turn = asyncio.Lock()  # a connection does one thing at a time

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[AsyncConnection]:
        async with self._turn:
            yield self._connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        async with self._turn:
            yield self._connection


class _Actor:
    """A channel that sends to nobody."""

    async def open(self, host: Host, token: str) -> Identity:
        return Identity()

    async def receive(self) -> None:
        return None

    def parse(self, raw: str) -> InboundMessage | None:
        command = raw[1:] if raw.startswith("/") else None
        return InboundMessage(chat_key="1", text=raw, speaker="A", command=command)

    async def picture(self, ref: str) -> Picture:
        raise NotImplementedError

    def preview(self, message: InboundMessage, target: PreviewTarget) -> Preview:
        return self

    def feed(self, text: str) -> None:
        return None

    def restart(self) -> None:
        return None

    async def progress(self, view: JobView) -> bool:
        return True

    async def send(self, message: OutboundMessage, sent: Sequence[str]) -> AsyncIterator[str]:
        yield "1"

    async def reload(self) -> None:
        return None

    async def close(self) -> None:
        return None


async def _rehearse(database: Database) -> None:
    try:
        async with database.transaction() as connection:
            await _play(_Stage(database, connection), connection)
            raise _Undo
    except _Undo:
        pass
    await database.close()


async def _connect(database: Database) -> None:
    for durable in (True, False):
        async with database.transaction(durable=durable) as connection:
            await connection.execute(select(1))
    async with database.reading() as connection:
        await load_instance(connection, "none", {})
        await settings.get_setting(connection, settings.CONFIG_VERSION, 0)
    await database.close()


async def _play(stage: _Stage, connection: AsyncConnection) -> None:
    channel_id = await _set(connection)
    instance = await load_instance(connection, channel_id, {})
    assert instance is not None
    actor = _Actor()
    with TemporaryDirectory() as folder:
        rests = open_state(Path(folder))
        await _rest(rests)
        await _converse(ChannelHost(stage, actor, instance, {}, lambda event: None, rests))


async def _rest(rests: RestStore) -> None:
    """What a failing vendor makes a channel read and write."""
    for number in range(ROUNDS):
        cooldown = Cooldown(rests)
        await cooldown.refresh()
        cooldown.failed(f"{number}", Failure(ErrorClass.OVERLOAD, cooldown.clock.now()))
        await cooldown.close()


async def _converse(host: ChannelHost) -> None:
    writer = asyncio.create_task(host.write_marks())
    await host.recover()
    await host.look_at_jobs()
    for number in range(ROUNDS):
        for words in ("ping", "/start", "what is this about?"):
            await host.accept([Incoming(f"{number}{words}", f"{number}", words)])
            await host.drain()
        await host.look()
        await host.look_at_jobs()
        host.beat()
    await host.reload()
    writer.cancel()
    await host.close()


async def _set(connection: AsyncConnection) -> str:
    """The rows of the rehearsal, and the queries that a turn without a vendor does not run."""
    await knowledge.save_base(connection, BASE, name="", managed="")
    await knowledge.add_faq(
        connection, base_id=BASE, question="ping", answer="pong", match="exact", managed=""
    )
    channel_id = await channels.add_channel(
        connection, kind="rehearsal", slug="rehearsal", name="", config={}, base_ids=[BASE]
    )
    await inbox.save_preview(connection, 0, "1")
    vendor_cards()
    await providers.save_provider(
        connection, BASE, kind="engine", name="", base_url="http://127.0.0.1", config={}, enabled=True,
        managed="",
    )  # fmt: skip
    for makes, name in DEFAULTS.items():
        lines = {"candidates": [f"{BASE}:auto"], "settings": {}, "managed": ""}
        await slugs.save_one(connection, MediaRoute, name, name="", makes=makes, **lines)
    row = {"provider_id": "1", "model": "1", "outcome": "ok", "total_ms": 1.0, "channel_id": channel_id}
    await usage.add_usage(connection, [row])
    return channel_id
