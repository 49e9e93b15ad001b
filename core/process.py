"""A channel process: what happens after the fork, and what is warmed up before it."""

import asyncio
import contextlib
import importlib
import logging
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from core.channel import BadConfiguration, BadCredential, Channel
from core.fleet.link import Link
from core.host import ChannelHost
from core.instance import Instance
from core.instances import load_instance
from core.kinds import KINDS
from core.provider_secrets import secrets_of
from core.rehearsal import rehearse_database, rehearsed_database
from core.routing.state import open_state
from core.shelf import Shelf
from db.database import Database
from db.trouble import Unavailable

EXIT_CREDENTIAL = 77
EXIT_CONFIGURATION = 78
__all__ = ["child_main", "rehearse_database"]
BEAT_EVERY = 1.0
DRAIN_FOR = 14.0  # seconds; the supervisor kills after 20, and what is closed then takes a moment
DATABASE_PAUSE = 1.0
T = TypeVar("T")
logger = logging.getLogger(__name__)


def child_main(kind: str, descriptor: int) -> int:
    """Run one channel to its end; returns the exit code. Called in the forked child."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    return asyncio.run(_main(kind, descriptor))  # uvloop would cost 1.1 MB a channel


async def _main(kind: str, descriptor: int) -> int:
    link = Link(descriptor)
    await link.open()
    start = await link.receive()
    module = importlib.import_module(KINDS[kind].module)
    channel = cast(Channel, module.create())
    database = rehearsed_database(start["database_url"])
    try:
        return await ChannelProcess(link, channel, database, start).run()
    except BadCredential as error:
        return _refused(link, EXIT_CREDENTIAL, str(error))
    except BadConfiguration as error:
        return _refused(link, EXIT_CONFIGURATION, str(error))
    finally:
        await database.close()
        await link.close()


def _refused(link: Link, code: int, reason: str) -> int:
    logger.error("%s", reason)
    link.send({"t": "state", "state": "PARKED", "reason": reason})
    return code


class ChannelProcess:
    """Joins the link to the supervisor, the channel and its host."""

    def __init__(self, link: Link, channel: Channel, database: Database, start: dict[str, Any]) -> None:
        self._link = link
        self._channel = channel
        self._database = database
        self._start = start
        self._host: ChannelHost | None = None
        self._opened = False
        self._draining = asyncio.Event()

    async def run(self) -> int:
        """Open, serve, drain; 0 after a drain, 1 when a part ended by itself."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._draining.set)
        draining = asyncio.create_task(self._draining.wait())
        opening = asyncio.create_task(self._open())
        tasks = [asyncio.create_task(self._beat()), asyncio.create_task(self._listen())]
        try:
            await asyncio.wait({opening, draining}, return_when=asyncio.FIRST_COMPLETED)
            if not opening.done():
                return 0
            host = opening.result()
            tasks += [asyncio.create_task(host.write_marks()), asyncio.create_task(host.watch_rows())]
            tasks.append(asyncio.create_task(host.show_progress()))
            receiving = asyncio.create_task(self._receive(host))
            return await self._serve(host, receiving, {draining, receiving, *tasks})
        finally:
            await _end(draining, opening, *tasks)
            if self._host:
                await self._host.close()
            await self._channel.close()

    async def _open(self) -> ChannelHost:
        instance = await self._patiently(self._instance)
        if instance is None:
            raise BadConfiguration("this instance no longer exists")
        secrets = secrets_of(self._start["providers"])
        rests = open_state(Path(self._start["home"]), self._start["redis_url"])
        host = self._host = ChannelHost(
            self._database, self._channel, instance, secrets, self._link.send, rests
        )
        home, media = Path(self._start["home"]), self._start.get("media_url", "")
        host.shelf = Shelf(self._database, home / "media", media, self._start.get("public_url", ""))
        host.let_jobs_wait(self._start.get("ttl_hours", 24.0))
        identity = await self._channel.open(host, self._start["token"])
        host.heard()
        await self._patiently(host.recover)
        host.announce("READY", address=identity.address)
        self._opened = True
        return host

    async def _instance(self) -> Instance | None:
        async with self._database.reading() as conn:
            secrets = secrets_of(self._start["providers"])
            return await load_instance(conn, self._start["channel_id"], secrets)

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Work that the process cannot do without: a database that is away parks nobody."""
        while True:
            try:
                return await work()
            except Unavailable as error:
                reason = f"the database cannot be used now: {error}"
                logger.warning("%s", reason)
                self._link.send({"t": "state", "state": "DEGRADED", "reason": reason})
            await asyncio.sleep(DATABASE_PAUSE)

    async def _receive(self, host: ChannelHost) -> None:
        """Take in updates; what could not be stored was not confirmed and comes again."""
        while True:
            try:
                return await self._channel.receive()
            except Unavailable as error:
                host.troubled("database", f"the database cannot be used now: {error}")
            await asyncio.sleep(DATABASE_PAUSE)

    async def _serve(
        self, host: ChannelHost, receiving: asyncio.Task[None], parts: set[asyncio.Task[Any]]
    ) -> int:
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            if not self._draining.is_set():
                done.pop().result()  # raises what ended it: the traceback goes to the log
                return 1
            host.announce("DRAINING")
            await _end(receiving)
            with contextlib.suppress(TimeoutError):  # what is left stays in the rows
                await asyncio.wait_for(host.drain(), DRAIN_FOR)
            return 0
        finally:
            await _end(receiving)

    async def _listen(self) -> None:
        while True:
            message = await self._link.receive()
            match message.get("t"):
                case "wake":
                    await self._look()
                case "secrets":
                    self._start["providers"] = message["providers"]
                    if self._host:
                        self._host.rekey(secrets_of(message["providers"]))
                    await self._look()
                case "drain":
                    self._draining.set()

    async def _look(self) -> None:
        if self._host and self._opened:  # a channel that is not open yet could send nothing
            await self._host.look()

    async def _beat(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(BEAT_EVERY)
            lag = time.monotonic() - before - BEAT_EVERY
            beat = self._host.beat() if self._host else {"t": "beat"}
            self._link.send({**beat, "lag_ms": round(max(lag, 0.0) * 1000, 1)})


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
