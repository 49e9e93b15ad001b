"""The outbox of one channel process: each chat's messages in order, chats side by side."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from core.channel import Channel, ChatGone, Rejected, RetryLater
from core.messages import OutboundMessage
from db import conversations, outbox
from db.database import Database

GIVE_UP_AFTER = 24 * 3600.0  # seconds in which a chat that cannot be reached is tried again
CRASHES_ALLOWED = 3
CRASH_PAUSE = 0.5  # seconds, times the crashes so far
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outbound:
    """An outbox row to deliver; `sent` are the external ids of parts that went out already."""

    id: int
    chat_key: str
    message: OutboundMessage
    sent: tuple[str, ...]


class Outbox:
    """Sends rows and marks them. Marks are written together by one task: while a transaction is under
    way, the next ones gather, so that a busy channel does not pay one commit for each message."""

    def __init__(self, database: Database, channel_id: str, channel: Channel) -> None:
        self._database = database
        self._channel_id = channel_id
        self._channel = channel
        self._chats: dict[str, deque[Outbound]] = {}
        self._known: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._marks: dict[int, dict[str, Any]] = {}
        self._gone: set[str] = set()
        self._marked = asyncio.Event()
        self._flushed = asyncio.Event()
        self._flushed.set()
        self.delivered = 0
        self.failed = 0

    @property
    def waiting(self) -> int:
        """Messages not sent yet."""
        return len(self._known)

    def deliver(self, rows: Sequence[Outbound]) -> None:
        """Queue rows; each chat has one sender at a time."""
        for row in rows:
            if row.id in self._known:
                continue
            self._known.add(row.id)
            queue = self._chats.get(row.chat_key)
            if queue is not None:
                queue.append(row)
                continue
            self._chats[row.chat_key] = deque([row])
            task = asyncio.create_task(self._send_chat(row.chat_key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def collect(self) -> None:
        """Read rows that others wrote (operators, jobs) or that a crash left unsent."""
        async with self._database.reading() as conn:
            rows = await outbox.pending(conn, self._channel_id)
        self.deliver(
            [
                Outbound(row.id, row.chat_key, OutboundMessage.from_json(row.payload), tuple(row.sent_ids))
                for row in rows
                if row.id not in self._marks
            ]
        )

    async def drain(self) -> None:
        """Wait until everything queued is sent and marked."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        await self._flushed.wait()

    async def write_marks(self) -> None:
        """Write marks as they come, until cancelled."""
        while True:
            await self._marked.wait()
            self._marked.clear()
            marks, gone = dict(self._marks), set(self._gone)
            try:
                await self._write(marks, gone)
            except SQLAlchemyError:  # sent messages must not be forgotten: try again until it works
                logger.exception("marking %s outbox rows failed", len(marks))
                self._marked.set()
                await asyncio.sleep(1)
                continue
            self._gone -= gone
            for row_id, values in marks.items():
                if self._marks.get(row_id) is values:
                    del self._marks[row_id]
                    if "status" in values:
                        self._known.discard(row_id)
            if not self._marks:
                self._flushed.set()

    async def _write(self, marks: dict[int, dict[str, Any]], gone: set[str]) -> None:
        async with self._database.transaction(durable=False) as conn:
            for row_id, values in marks.items():
                await outbox.mark(conn, row_id, **values)
            for chat in gone:
                await conversations.close_conversation(conn, self._channel_id, chat, "gone")

    async def _send_chat(self, chat_key: str) -> None:
        queue = self._chats[chat_key]
        while queue:
            await self._send(queue[0])
            queue.popleft()
        del self._chats[chat_key]

    async def _send(self, row: Outbound) -> None:
        sent = list(row.sent)
        loop = asyncio.get_running_loop()
        deadline, crashes = loop.time() + GIVE_UP_AFTER, 0
        while True:
            try:
                async for external_id in self._channel.send(row.message, tuple(sent)):
                    sent.append(external_id)
                    self._mark(row, sent_ids=list(sent))
            except RetryLater as error:
                if loop.time() + error.after > deadline:
                    return self._dead(row, f"not reachable: {error}")
                await asyncio.sleep(error.after)
                continue
            except ChatGone as error:
                self._gone.add(row.chat_key)
                return self._dead(row, f"chat gone: {error}")
            except Rejected as error:
                return self._dead(row, f"rejected: {error}")
            except Exception as error:  # process edge: one message must not stop a chat
                crashes += 1
                logger.exception("sending outbox row %s failed", row.id)
                if crashes >= CRASHES_ALLOWED:
                    return self._dead(row, f"{type(error).__name__} while sending")
                await asyncio.sleep(crashes * CRASH_PAUSE)
                continue
            self.delivered += 1
            return self._mark(row, sent_ids=list(sent), status="sent")

    def _dead(self, row: Outbound, error: str) -> None:
        logger.warning("outbox row %s not sent: %s", row.id, error)
        self.failed += 1
        self._mark(row, status="dead", error=error[:2000])

    def _mark(self, row: Outbound, **values: Any) -> None:
        self._marks[row.id] = {**self._marks.get(row.id, {}), **values}
        self._flushed.clear()
        self._marked.set()
