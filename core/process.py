"""A channel process: what happens after the fork, and what is warmed up before it."""

import asyncio
import contextlib
import importlib
import logging
import signal
import sys
import time
from typing import Any, cast

import uvloop

from core.channel import BadConfiguration, BadCredential, Channel
from core.fleet.kinds import KINDS
from core.fleet.link import Link
from core.host import ChannelHost
from core.instances import load_instance
from core.rehearsal import rehearse_database, rehearsed_database
from db.database import Database

EXIT_CREDENTIAL = 77
EXIT_CONFIGURATION = 78
__all__ = ["child_main", "rehearse_database"]
BEAT_EVERY = 1.0
DRAIN_FOR = 20.0
logger = logging.getLogger(__name__)


def child_main(kind: str, descriptor: int) -> int:
    """Run one channel to its end; returns the exit code. Called in the forked child."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_main(kind, descriptor))


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
        self._draining = asyncio.Event()

    async def run(self) -> int:
        """Open, serve, drain; 0 after a drain, 1 when a part ended by itself."""
        async with self._database.reading() as conn:
            instance = await load_instance(conn, self._start["channel_id"], self._start["provider_keys"])
        if instance is None:
            raise BadConfiguration("this instance no longer exists")
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._draining.set)
        host = ChannelHost(
            self._database, self._channel, instance, self._start["provider_keys"], self._link.send
        )
        tasks = [asyncio.create_task(self._beat(host)), asyncio.create_task(self._listen(host))]
        try:
            identity = await self._channel.open(host, self._start["token"])
            host.heard()
            tasks.append(asyncio.create_task(host.write_marks()))
            await host.recover()
            host.announce("READY", address=identity.address)
            receiving = asyncio.create_task(self._channel.receive())
            tasks += [receiving, asyncio.create_task(host.watch_rows())]
            return await self._serve(host, receiving, tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await host.close()
            await self._channel.close()

    async def _serve(
        self, host: ChannelHost, receiving: asyncio.Task[None], tasks: list[asyncio.Task[None]]
    ) -> int:
        draining = asyncio.create_task(self._draining.wait())
        done, _ = await asyncio.wait({draining, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        if draining not in done:
            draining.cancel()
            done.pop().result()  # raises what ended it: the traceback goes to the log
            return 1
        host.announce("DRAINING")
        receiving.cancel()
        await asyncio.wait({receiving})
        with contextlib.suppress(TimeoutError):  # what is left stays in the rows
            await asyncio.wait_for(host.drain(), DRAIN_FOR)
        return 0

    async def _listen(self, host: ChannelHost) -> None:
        while True:
            message = await self._link.receive()
            match message.get("t"):
                case "wake":
                    await host.look()
                case "secrets":
                    await host.reload(message["provider_keys"])
                case "drain":
                    self._draining.set()

    async def _beat(self, host: ChannelHost) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(BEAT_EVERY)
            lag = time.monotonic() - before - BEAT_EVERY
            self._link.send({**host.beat(), "lag_ms": round(max(lag, 0.0) * 1000, 1)})
