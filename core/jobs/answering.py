"""What a job's chat reads when it ends: its message takes on the result, in the rows and in the chat."""

import re
from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.jobs.order import Reply
from core.messages import Media, OutboundMessage
from core.texts import TEXTS, text
from db import conversations, outbox
from db.jobs import CANCELLED, DONE
from providers.media.types import Task

FUTILE = ("moderated", "request", "quarantined", "no_route", "full")
BAD = re.compile(r"(\w+): (\w+)(?: \((.*)\))?\Z", re.DOTALL)


async def answer_chat(conn: AsyncConnection, row: Any, status: str, reason: str, made: Sequence[Any]) -> None:
    """Rewrite the message that said that work is under way, and put the result into the outbox."""
    reply = Reply.from_json(row.reply) if row.reply else None
    if reply is None or not row.channel_id:
        return
    failure = "" if status == DONE else failed_text(row, status, reason)
    words = captioned(reply.caption, failure) if failure else done_text(row, reply)
    buttons = _offers(reply, made) if status == DONE else _again(row, status, reason)
    media = tuple(media_of(one) for one in made)
    kept = [{"kind": one.kind, "ref": f"artifact:{one.artifact}"} for one in media]
    await conversations.change_message(
        conn, reply.message_id, text=words, attachments=kept, status="final" if status == DONE else "failed"
    )
    message = OutboundMessage(
        chat_key=row.chat_key, text=words, message_id=reply.message_id, reply_to=reply.quote, plain=True,
        status="final" if status == DONE else "failed", buttons=buttons, language=row.language, media=media,
        edits=reply.message_id,
    )  # fmt: skip
    await outbox.add_outbound(conn, row.channel_id, row.chat_key, message.to_json(), reply.message_id)


def under_way(
    job_id: str, task: Task, language: str, caption: str = ""
) -> tuple[str, tuple[tuple[str, str], ...]]:
    """What the message of a job that waits or runs says, and its button to cancel it."""
    words = captioned(caption, text(f"media_working_{task.makes}", language))
    return words, (("cancel", f"cancel:{job_id}"),)


def captioned(caption: str, words: str) -> str:
    """Our words below those that a model said when it ordered."""
    return "\n\n".join(part for part in (caption, words) if part)


def working_message(row: Any) -> OutboundMessage:
    """The message of a job that waits or runs."""
    reply = Reply.from_json(row.reply)
    words, buttons = under_way(row.id, Task(row.task), row.language, reply.caption)
    return OutboundMessage(
        chat_key=row.chat_key, text=words,
        message_id=reply.message_id, reply_to=reply.quote, plain=True, status="working",
        buttons=buttons, language=row.language, edits=reply.message_id, job=row.id,
    )  # fmt: skip


def media_of(artifact: Any) -> Media:
    """A row of an artifact as a part of a message."""
    return Media(
        artifact.id, artifact.key, artifact.mime, artifact.width, artifact.height, artifact.size,
        artifact.seconds, artifact.poster,
    )  # fmt: skip


def done_text(row: Any, reply: Reply) -> str:
    """What stands under the result."""
    return reply.caption or text(f"media_done_{Task(row.task).makes}", row.language)


def failed_text(row: Any, status: str, reason: str) -> str:
    """Why there is no result, in words for its reader."""
    if status == CANCELLED:
        return text("media_cancelled", row.language)
    if reason == "request":
        return text("media_request", row.language, why=why_text(row.error, row.language))
    key = f"media_{reason}"
    return text(key if key in TEXTS else "media_unavailable", row.language)


def why_text(error: str, language: str) -> str:
    """A BadMediaRequest's own text ("width: range (64-2048)") in words; never a vendor's text."""
    found = BAD.match(error)
    key = f"why_{found.group(2)}" if found else "why_other"
    if found is None or key not in TEXTS:
        return text("why_picture" if "picture" in error else "why_other", language)
    return text(key, language, field=found.group(1), allowed=found.group(3) or "")


def _offers(reply: Reply, made: Sequence[Any]) -> tuple[tuple[str, str], ...]:
    if len(made) != 1 or made[0].mime.startswith("video/"):
        return ()
    return tuple((name, f"{name}:{made[0].id}") for name in reply.offers)


def _again(row: Any, status: str, reason: str) -> tuple[tuple[str, str], ...]:
    if status != CANCELLED and reason in FUTILE:
        return ()
    return (("retry", f"again:{row.id}"),)
