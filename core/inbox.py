"""The inbox of one channel process: one running turn per chat, the oldest update first."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.messages import Incoming
from db import inbox
from db.database import Database

LONGEST_ID = 100


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
        self._busy: set[str] = set()
        self._waiting: set[str] = set()  # chats that may have an update waiting behind the running one
        self._lock = asyncio.Lock()  # accept and finish must not cross, or a waiting update is stranded

    @property
    def running(self) -> int:
        """How many chats have a running turn."""
        return len(self._busy)

    async def accept(self, batch: Sequence[Incoming]) -> list[bool]:
        """Commit updates in one transaction; True for each that was not here before."""
        claims: list[Claim] = []
        new: list[bool] = []
        async with self._lock:
            async with self._database.transaction() as conn:
                taken: set[str] = set()
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
                        taken.add(chat)
                        claims.append(_claim(row))
                    else:
                        self._waiting.add(chat)
            self._busy |= taken
        for claim in claims:
            self._start(claim)
        return new

    async def recover(self) -> None:
        """Take up again what was running when the last process died, and what waits."""
        claims: list[Claim] = []
        async with self._lock:
            async with self._database.transaction() as conn:
                claims += [_claim(row) for row in await inbox.retake(conn, self._channel_id)]
                running = {claim.chat_key for claim in claims}
                self._waiting = set(await inbox.waiting_chats(conn, self._channel_id))
                for chat in self._waiting:
                    if chat not in running:
                        claims.append(_claim(await inbox.claim_next(conn, self._channel_id, chat)))
            self._busy |= {claim.chat_key for claim in claims}
        for claim in claims:
            self._start(claim)

    async def finish(
        self, claim: Claim, store: Callable[[AsyncConnection], Any], status: str = "done", error: str = ""
    ) -> Any:
        """Close a claim in the same transaction as `store(conn)`; starts the chat's next one.

        Not durable on purpose: after a power failure the claim is taken up again, and all of it repeated.
        """
        async with self._lock:
            async with self._database.transaction(durable=False) as conn:
                stored = await store(conn)
                await inbox.finish_update(conn, claim.id, status, error)
                row = None
                if claim.chat_key in self._waiting:
                    row = await inbox.claim_next(conn, self._channel_id, claim.chat_key)
            if row is None:
                self._busy.discard(claim.chat_key)
                self._waiting.discard(claim.chat_key)
        if row is not None:
            self._start(_claim(row))
        return stored


def _claim(row: Any) -> Claim:
    return Claim(*row)
