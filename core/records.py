"""What one turn leaves in the rows: question, answer, usage and the outbox row, together."""

from dataclasses import asdict
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.answers import Answer
from core.conversation import message_id
from core.inbox import Claim
from core.instance import Instance
from core.messages import InboundMessage, OutboundMessage
from core.outbox import Outbound
from core.usage import rows_of
from db import conversations, outbox
from db.base import now
from db.usage import add_usage
from providers.surrogates import mend

TICK = 1e-5  # seconds; more than the resolution of a float that holds a date


async def record(
    conn: AsyncConnection,
    instance: Instance,
    claim: Claim,
    question: InboundMessage | None,
    answer: Answer,
    outbound: OutboundMessage,
) -> list[Outbound]:
    """Store a turn's outcome; returns the outbox rows to deliver after the commit."""
    if answer.closes:
        await conversations.close_conversation(conn, instance.id, claim.chat_key, "new")
    if answer.settings is not None:
        await _record_settings(conn, instance, claim, answer)
    conversation = await _record_messages(conn, instance, claim, question, answer)
    if answer.grant:
        usage = rows_of(answer.attempts, answer.skipped, answer.grant, instance.route.id)
        for row in usage:
            row.update(conversation_id=conversation, message_id=outbound.message_id)
        await add_usage(conn, usage)
        await answer.grant.settle(conn, usage)
    if answer.also:
        await answer.also(conn)
    payload = outbound.to_json()
    row_id = await outbox.add_outbound(conn, instance.id, claim.chat_key, payload, outbound.message_id)
    return [Outbound(row_id, claim.chat_key, outbound, ())]


async def _record_settings(conn: AsyncConnection, instance: Instance, claim: Claim, answer: Answer) -> None:
    open_one = await conversations.open_conversation(conn, instance.id, claim.chat_key)
    if open_one is None:
        await conversations.add_conversation(
            conn, channel_id=instance.id, chat_key=claim.chat_key, language="", title=answer.title[:200],
            messages=0, closed_reason="", settings=answer.settings,
        )  # fmt: skip
    else:
        await conversations.save_settings(conn, open_one.id, answer.settings or {})


async def _record_messages(
    conn: AsyncConnection, instance: Instance, claim: Claim, question: InboundMessage | None, answer: Answer
) -> str | None:
    if not answer.keep:
        return None
    open_one = await conversations.open_conversation(conn, instance.id, claim.chat_key)
    language = mend(question.language)[:8] if question else ""
    # A question that waited for its turn comes after the answer before it, whatever the clock does.
    asked_at = claim.received_at
    if open_one is not None:
        asked_at = max(asked_at, open_one.updated_at + TICK)
    conversation_id = open_one.id if open_one else await conversations.add_conversation(
        conn, channel_id=instance.id, chat_key=claim.chat_key, language=language,
        title=(question.title or question.speaker)[:200] if question else "",
        messages=0, closed_reason="",
    )  # fmt: skip
    for replaced in answer.replaces:
        await conversations.replace_message(conn, replaced)
    rows: list[dict[str, Any]] = []
    if question:
        rows.append(
            {
                "id": message_id(instance.id, claim.external_id, "user"),
                "role": "user",
                "text": question.text,
                "speaker": question.speaker[:120],
                "external_id": question.external_id[:100],
                "attachments": [asdict(one) for one in question.attachments],
                "created_at": asked_at,
            }
        )
    rows.append(
        {
            "id": message_id(instance.id, claim.external_id, "assistant"),
            "role": "assistant",
            "text": answer.text,
            "source": answer.source,
            "source_id": answer.source_id[:200],
            "status": answer.status,
            "reasoning": answer.reasoning,
            "created_at": max(now(), asked_at + TICK),
        }
    )
    await conversations.add_messages(conn, conversation_id, rows)
    return str(conversation_id)
