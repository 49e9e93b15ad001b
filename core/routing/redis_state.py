"""Rests in Redis, for several machines: keys that expire, and a channel on which changes are told."""

import asyncio
import json
import logging
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from db.base import now
from db.cooldowns import KEPT_FOR, Rest, Unusable

PREFIX = "botyard:rest:"
CHANNEL = "botyard:rests"
MARK = "botyard:rests:kept"  # gone when Redis lost all that it had
PATIENCE = 0.5  # seconds for an answer of Redis
QUIET = 2.0  # seconds without a word after which the line is tried
AGAIN = 0.5  # seconds between attempts to reach a Redis that is away
TRIES = 20  # of a change that others overtake
# Redis runs a script as one step: nobody comes between the comparison and the change.
_SWAP = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1])
else redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
redis.call('PUBLISH', ARGV[4], ARGV[5])
return 1
"""
logger = logging.getLogger(__name__)


class RedisState:
    """The rests of all processes on all machines. It listens to changes in a task of its own and comes back
    by itself; while Redis is away, `update` raises Unusable at once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._rests: dict[str, Rest] = {}
        self._changed = False
        self._redis: Redis | None = None
        self._listening: asyncio.Task[None] | None = None
        self._there = asyncio.Event()
        self._told = False

    async def changes(self) -> dict[str, Rest] | None:
        """All rests when one has changed since the last look, else None; the first look waits for Redis."""
        await self._begun()
        if not self._changed:
            return None
        self._changed = False
        return dict(self._rests)

    async def update(self, scope: str, decide: Callable[[Rest | None], Rest | None]) -> Rest | None:
        """Replace a rest by what `decide` makes of it, atomically; None is none. Raises Unusable."""
        await self._begun()
        if self._redis is None or not self._there.is_set():
            raise Unusable("Redis is away")
        try:
            async with asyncio.timeout(2 * PATIENCE):
                after = await _swapped(self._redis, scope, decide)
        except (RedisError, OSError) as error:
            raise Unusable(f"Redis: {type(error).__name__}") from error
        self._keep(scope, after)
        return after

    async def close(self) -> None:
        """Close the lines; they are opened again when needed."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.cancel()
            await asyncio.wait({listening})
        self._there.clear()

    async def _begun(self) -> None:
        if self._listening is not None:
            return
        self._listening = asyncio.create_task(self._listen())
        try:
            async with asyncio.timeout(PATIENCE):
                await self._there.wait()
        except TimeoutError:
            logger.debug("Redis did not answer at once")

    async def _listen(self) -> None:
        """Hear of changes until cancelled."""
        while True:
            try:
                # retries are ours: the client's own would block a line that is away for seconds
                redis = Redis.from_url(
                    self._url, decode_responses=True, retry=None,
                    socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE,
                )  # fmt: skip
                async with redis, redis.pubsub() as line:
                    await line.subscribe(CHANNEL)
                    await self._read(redis)
                    await self._hear(line)
            except (RedisError, OSError, ValueError) as error:
                if not self._told:
                    logger.warning(
                        "Redis is away, cooldowns are this process's own: %s", type(error).__name__
                    )
                self._told = True
            finally:
                self._there.clear()
                self._redis = None
            await asyncio.sleep(AGAIN)

    async def _read(self, redis: Redis) -> None:
        """All that Redis knows; a Redis that lost its memory gets ours back."""
        if await redis.set(MARK, "1", nx=True):
            for scope, rest in self._rests.items():
                await redis.set(PREFIX + scope, _encoded(rest), px=_kept(rest), nx=True)
        found: dict[str, Rest] = {}
        async for name in redis.scan_iter(match=PREFIX + "*", count=500):
            known = _decoded(await redis.get(name))
            if known is not None:
                found[name.removeprefix(PREFIX)] = known
        self._rests, self._changed, self._redis = found, True, redis
        self._there.set()
        if self._told:
            logger.warning("Redis is back")
        self._told = False

    async def _hear(self, line: PubSub) -> None:
        asked = False
        while True:
            message = await line.get_message(timeout=QUIET)
            if message is None:
                if asked:
                    raise TimeoutError
                await line.ping()
            asked = message is None
            if message is not None and message["type"] == "message":
                scope, fields = json.loads(message["data"])
                self._keep(scope, None if fields is None else Rest(*fields))

    def _keep(self, scope: str, rest: Rest | None) -> None:
        self._changed = True
        if rest is None:
            self._rests.pop(scope, None)
        else:
            self._rests[scope] = rest


async def _swapped(redis: Redis, scope: str, decide: Callable[[Rest | None], Rest | None]) -> Rest | None:
    for _ in range(TRIES):
        known = await redis.get(PREFIX + scope)
        before = _decoded(known)
        after = decide(before)
        if after == before:
            return after
        told = json.dumps([scope, None if after is None else astuple(after)])
        new, kept = ("", 1) if after is None else (_encoded(after), _kept(after))
        if await redis.eval(_SWAP, 1, PREFIX + scope, known or "", new, str(kept), CHANNEL, told):
            return after
    raise Unusable(f"{scope} changes all the time")


def _kept(rest: Rest) -> int:
    """For how long Redis keeps a rest, in milliseconds."""
    return int((max(rest.until, rest.updated_at, rest.trial_until) - now() + KEPT_FOR) * 1000)


def _encoded(rest: Rest) -> str:
    return json.dumps(astuple(rest))


def _decoded(text: Any) -> Rest | None:
    try:
        return Rest(*json.loads(text)) if text else None
    except (ValueError, TypeError):
        return None
