"""An operator's own words in a conversation: stored, and put into the channel's outbox."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.messages import OutboundMessage
from core.records import TICK
from db import conversations, outbox
from db.base import new_id, now


async def write(conn: AsyncConnection, conversation: Any, text: str, name: str, source_id: str) -> str:
    """Add a message to an open conversation (a row of it); returns the message's id.

    It comes after all that is there, whatever the clock does. Wake the channel after the commit.
    """
    message_id = new_id()
    said = {"id": message_id, "role": "assistant", "text": text, "speaker": name, "source": "operator",
            "source_id": source_id, "created_at": max(now(), conversation.updated_at + TICK)}  # fmt: skip
    await conversations.add_messages(conn, conversation.id, [said])
    language = conversation.language or "en"
    outbound = OutboundMessage(conversation.chat_key, text, message_id, plain=True, language=language)
    await outbox.add_outbound(
        conn, conversation.channel_id, conversation.chat_key, outbound.to_json(), message_id
    )
    return message_id
