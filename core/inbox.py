"""The inbox of one channel process: one running turn per chat, the oldest update first."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.messages import Incoming
from db import inbox
from db.database import Database
from db.trouble import Unavailable
from providers.surrogates import mend

LONGEST_ID = 100
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds between tries to close a claim
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """An update whose turn is running in this process."""

    id: int
    external_id: str
    chat_key: str
    raw: str
    attempts: int
    preview_id: str | None
    received_at: float


class Inbox:
    """Accepts updates and hands out claims. The process is the only owner of its channel's rows,
    so which chats are busy is known in memory; a partial unique index keeps the promise."""

    def __init__(self, database: Database, channel_id: str, start: Callable[[Claim], None]) -> None:
        self._database = database
        self._channel_id = channel_id
        self._start = start
        self._busy: dict[str, int] = {}  # chats and the ids of their running updates
        self._waiting: set[str] = set()  # chats that may have an update waiting behind the running one
        self._doubtful = False
        self._lock = asyncio.Lock()  # accept and finish must not cross, or a waiting update is stranded

    @property
    def running(self) -> int:
        """How many chats have a running turn."""
        return len(self._busy)

    async def accept(self, batch: Sequence[Incoming]) -> list[bool]:
        """Commit updates in one transaction; True for each that was not here before."""
        await self.settle()
        claims: list[Claim] = []
        new: list[bool] = []
        async with self._lock:
            taken: dict[str, int] = {}
            self._doubtful = True  # a commit may have taken place although an error came back
            async with self._database.transaction() as conn:
                for item in batch:
                    chat = item.chat_key[:LONGEST_ID]
                    free = chat not in self._busy and chat not in taken
                    row = await inbox.add_update(
                        conn, self._channel_id, item.external_id, chat, item.raw,
                        "running" if free else "new",
                    )  # fmt: skip
                    new.append(row is not None)
                    if row is None:
                        continue
                    if free:
                        taken[chat] = row.id
                        claims.append(_claim(row))
                    else:
                        self._waiting.add(chat)
            self._doubtful = False
            self._busy |= taken
        for claim in claims:
            self._start(claim)
        return new

    async def recover(self) -> None:
        """Take up again what was running when the last process died, and what waits."""
        await self._take_up(inbox.retake)

    async def settle(self) -> None:
        """After a transaction that ended in doubt: start what it stored, should it have been committed."""
        if self._doubtful:
            await self._take_up(inbox.running_updates)

    async def finish(
        self, claim: Claim, store: Callable[[AsyncConnection], Any], status: str = "done", error: str = ""
    ) -> Any:
        """Close a claim in the same transaction as `store(conn)`; starts the chat's next one.

        Waits for a database that cannot be used: an answer is dear. Returns [] for a claim that was closed
        before (the commit was not heard of) or is gone with its channel.
        Not durable on purpose: after a power failure the claim is taken up again, and all of it repeated.
        """
        pause = FIRST_PAUSE
        while True:
            try:
                return await self._finish(claim, store, status, mend(error))
            except Unavailable as trouble:
                logger.warning("update %s is not closed yet: %s", claim.id, trouble)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _finish(
        self, claim: Claim, store: Callable[[AsyncConnection], Any], status: str, error: str
    ) -> Any:
        chat, row = claim.chat_key, None
        async with self._lock:
            if self._busy.get(chat) != claim.id:
                return []
            async with self._database.transaction(durable=False) as conn:
                if await inbox.finish_update(conn, claim.id, status, error):
                    stored = await store(conn)
                    if chat in self._waiting:
                        row = await inbox.claim_next(conn, self._channel_id, chat)
                else:
                    stored = []
                    row = await inbox.running_update(conn, self._channel_id, chat)
            if row is None:
                del self._busy[chat]
                self._waiting.discard(chat)
            else:
                self._busy[chat] = row.id
        if row is not None:
            self._start(_claim(row))
        return stored

    async def _take_up(self, read: Callable[[AsyncConnection, str], Awaitable[list[Any]]]) -> None:
        async with self._lock:
            async with self._database.transaction() as conn:
                found = [_claim(row) for row in await read(conn, self._channel_id)]
                claims = [claim for claim in found if claim.chat_key not in self._busy]
                running = {*self._busy, *(claim.chat_key for claim in claims)}
                waiting = await inbox.waiting_chats(conn, self._channel_id)
                for chat in waiting:
                    if chat not in running:
                        claims.append(_claim(await inbox.claim_next(conn, self._channel_id, chat)))
            self._waiting.update(waiting)
            self._busy |= {claim.chat_key: claim.id for claim in claims}
            self._doubtful = False
        for claim in claims:
            self._start(claim)


def _claim(row: Any) -> Claim:
    return Claim(*row)
