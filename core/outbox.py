"""The outbox of one channel process: each chat's messages in order, chats side by side."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from core.channel import Channel, ChatGone, Rejected, RetryLater
from core.messages import OutboundMessage
from db import conversations, outbox
from db.database import Database
from providers.surrogates import mend

GIVE_UP_AFTER = 24 * 3600.0  # seconds in which a chat that cannot be reached is tried again
CRASHES_ALLOWED = 3
CRASH_PAUSE = 0.5  # seconds, times the crashes so far
CLOSE_WITHIN = 2.0  # seconds for sends under way, and as many for their marks
PAGE = 200
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

    def __init__(
        self,
        database: Database,
        channel_id: str,
        channel: Channel,
        before_edit: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._before_edit = before_edit
        self._database = database
        self._channel_id = channel_id
        self._channel = channel
        self._chats: dict[str, deque[Outbound]] = {}
        self._known: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._marks: dict[int, dict[str, Any]] = {}
        self._gone: set[str] = set()
        self._reading = asyncio.Lock()  # a row is not forgotten between its reading and its queueing
        self._closing = asyncio.Event()
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
        last: int | None = 0
        while last is not None:
            async with self._reading:
                async with self._database.reading() as conn:
                    rows = await outbox.pending(conn, self._channel_id, last, PAGE)
                for row in rows:
                    if row.id not in self._known:
                        self._take(row)
            last = rows[-1].id if len(rows) == PAGE else None

    def _take(self, row: Any) -> None:
        """Queue a row that was read; one that was written by another version may say nothing to this one."""
        try:
            message = OutboundMessage.from_json(row.payload)
        except (TypeError, ValueError, AttributeError) as error:
            self._known.add(row.id)
            self._dead(row, f"unreadable: {error}")
            return
        self.deliver([Outbound(row.id, row.chat_key, message, tuple(row.sent_ids))])

    async def drain(self) -> None:
        """Wait until everything queued is sent and marked."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))
        await self._flushed.wait()

    async def close(self) -> None:
        """End all sending. What is under way may end, so that it is marked: a send whose answer nobody
        waits for would be repeated by the next process. The writer must have been cancelled."""
        self._closing.set()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=CLOSE_WITHIN)
        for task in self._tasks:
            task.cancel()
        if not self._marks:
            return
        try:
            async with asyncio.timeout(CLOSE_WITHIN):
                await self._write(self._marks, self._gone)
        except (SQLAlchemyError, TimeoutError) as error:
            logger.warning("%s outbox rows may be sent again: %s", len(self._marks), error)

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
            async with self._reading:  # a reader that saw a row as unsent must find it here
                self._forget(marks, gone)

    def _forget(self, marks: dict[int, dict[str, Any]], gone: set[str]) -> None:
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
        while queue and not self._closing.is_set():
            await self._send(queue[0])
            queue.popleft()
        del self._chats[chat_key]

    async def _send(self, row: Outbound) -> None:
        sent = list(row.sent)
        loop = asyncio.get_running_loop()
        deadline, crashes = loop.time() + GIVE_UP_AFTER, 0
        while not self._closing.is_set():
            try:
                message = await self._in_place(row.message)
                async for external_id in self._channel.send(message, tuple(sent)):
                    sent.append(external_id)
                    self._mark(row, sent_ids=list(sent))
            except RetryLater as error:
                if loop.time() + error.after > deadline:
                    return self._dead(row, f"not reachable: {error}")
                await self._rest(error.after)
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
                await self._rest(crashes * CRASH_PAUSE)
                continue
            self.delivered += 1
            return self._mark(row, sent_ids=list(sent), status="sent")

    async def _in_place(self, message: OutboundMessage) -> OutboundMessage:
        """A message that takes the place of an earlier one, with that one's external id."""
        if not message.edits:
            return message
        if self._before_edit and not message.job:
            await self._before_edit(message.edits)
        await self._flushed.wait()  # the earlier one's ids are in the rows
        async with self._database.reading() as conn:
            ids = await outbox.sent_as(conn, self._channel_id, message.edits)
        return replace(message, preview=ids[0]) if ids else message

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    def _dead(self, row: Any, error: str) -> None:
        logger.warning("outbox row %s not sent: %s", row.id, error)
        self.failed += 1
        self._mark(row, status="dead", error=mend(error)[:2000])

    def _mark(self, row: Any, **values: Any) -> None:
        self._marks[row.id] = {**self._marks.get(row.id, {}), **values}
        self._flushed.clear()
        self._marked.set()
