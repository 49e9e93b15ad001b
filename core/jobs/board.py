"""Progress in the chats of one channel: what its jobs are doing, shown in the messages that announced them.

Best effort: a chat that misses a step sees the next one, and the result comes through the outbox.
"""

import asyncio
import logging
from collections import defaultdict
from contextlib import suppress
from typing import Any

from core.channel import Channel, JobView
from core.jobs.answering import under_way
from core.jobs.order import Reply
from core.moments import when
from core.texts import text
from db import job_previews, jobs, outbox
from db.base import now
from db.database import Database
from db.trouble import Unavailable
from providers.media.types import Task

LOOK_EVERY = 1.0
CELLS = 12
logger = logging.getLogger(__name__)


class Board:
    """Follows the jobs of one channel while there are any."""

    def __init__(self, database: Database, channel_id: str, channel: Channel) -> None:
        self._database = database
        self._channel_id = channel_id
        self._channel = channel
        self._news = asyncio.Event()
        self._news.set()  # the last process may have left jobs
        self._shown: dict[str, str] = {}
        self._previews: dict[str, float] = {}
        self._finished: set[str] = set()
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def look(self) -> None:
        """A job was announced."""
        self._news.set()

    async def finish(self, message_id: str) -> None:
        """The message is about to get its result: nothing more is shown in it."""
        self._finished.add(message_id)
        async with self._locks[message_id]:
            pass
        self._forget(message_id)

    async def run(self) -> None:
        """Show progress until cancelled."""
        while True:
            await self._news.wait()
            try:
                if not await self.round():
                    self._news.clear()
            except Unavailable as error:
                logger.info("progress is not shown now: %s", error)
            except Exception:  # process edge: a picture of progress must not end the channel
                logger.exception("progress is not shown")
            await asyncio.sleep(LOOK_EVERY)

    async def round(self) -> bool:
        """One look at all of them; False when there are none."""
        self._finished.clear()  # who is finished now has ended in the rows, or was let wait once more
        async with self._database.reading() as conn:
            rows = [row for row in await jobs.unended_of(conn, self._channel_id) if row.reply]
            found = [await self._view(conn, row) for row in rows]
        await asyncio.gather(*(self._show(*one) for one in found if one))
        return bool(rows)

    async def _view(self, conn: Any, row: Any) -> tuple[JobView, float] | None:
        """What its message should show, and when its preview was made; None when it shows that."""
        reply = Reply.from_json(row.reply)
        sent = await outbox.sent_as(conn, self._channel_id, reply.message_id)
        if not sent:
            return None
        ahead = await jobs.before(conn, row) if row.status == jobs.WAITING else row.position
        words = words_of(row, ahead)
        preview = await job_previews.get_preview(conn, row.id) if row.status == jobs.RUNNING else None
        made_at = preview.made_at if preview else 0.0
        if (self._shown.get(reply.message_id), self._previews.get(reply.message_id)) == (words, made_at):
            return None
        picture = bytes(preview.body) if preview and self._previews.get(reply.message_id) != made_at else None
        view = JobView(
            row.id, reply.message_id, row.chat_key, sent[-1], words, row.fraction, picture, row.language
        )
        return view, made_at

    async def _show(self, view: JobView, made_at: float) -> None:
        async with self._locks[view.message_id]:
            if view.message_id in self._finished:
                return
            if await self._channel.progress(view):
                self._shown[view.message_id], self._previews[view.message_id] = view.words, made_at

    def _forget(self, message_id: str) -> None:
        for known in (self._shown, self._previews, self._locks):
            with suppress(KeyError):
                del known[message_id]


def words_of(row: Any, ahead: int | None) -> str:
    """A job's progress in words and a bar: "I am drawing it." and below "▰▰▰▱▱▱ 45 % · about 20 s left"."""
    told, _ = under_way(row.id, Task(row.task), row.language, (row.reply or {}).get("caption", ""))
    return "\n".join(part for part in (told, progress_line(row, ahead)) if part)


def progress_line(row: Any, ahead: int | None) -> str:
    """The line below: what it waits for, or how far it is."""
    language = row.language
    if row.status == jobs.WAITING and row.phase == jobs.SCHEDULED and row.not_before > now():
        return text("media_scheduled", language, when=when(row.not_before, now(), language))
    if row.status == jobs.WAITING or (row.phase == "waiting" and ahead):
        return (
            text("media_waiting", language, ahead=ahead) if ahead else text("media_waiting_first", language)
        )
    parts = []
    if row.fraction is not None:
        full = round(row.fraction * CELLS)
        parts.append("▰" * full + "▱" * (CELLS - full) + f" {round(row.fraction * 100)} %")
    elif row.phase in ("loading", "saving"):
        parts.append(text(f"media_{row.phase}", language))
    if row.eta is not None and row.eta >= 1:
        parts.append(text("media_left", language, time=_span(row.eta, language)))
    return " · ".join(parts) or text("media_running", language)


def _span(seconds: float, language: str) -> str:
    if seconds < 90:
        return text("media_seconds", language, count=max(5, round(seconds / 5) * 5))
    return text("media_minutes", language, count=round(seconds / 60))
