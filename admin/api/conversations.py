"""Conversations: read them, say something in them as an operator, and set how they are answered."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from admin.api.calls import Actor, Id, Parts, api_router
from core import operator_message
from core.configuration.sampling_configs import SamplingConfig
from core.configuration.service import Conflict, NotFound
from core.configuration.values import Readable
from core.sampling import merged
from db import conversations, operators

router = api_router("conversations")


class Row(BaseModel):
    """Read from a row's attributes."""

    model_config = ConfigDict(from_attributes=True)


class Conversation(Row):
    """A talk in one chat of one instance; `channel_id` is the one of a bot or widget."""

    id: str
    channel_id: str
    chat_key: str
    title: str
    language: str
    messages: int
    created_at: float
    updated_at: float
    closed_at: float | None
    closed_reason: str
    settings: dict[str, Any]


class Message(Row):
    """One message; `source` says what answered: model, faq, knowledge, command, operator or error.
    `attachments` are pictures that came with it."""

    id: str
    role: str
    text: str
    speaker: str
    source: str
    source_id: str
    status: str
    attachments: list[dict[str, Any]]
    created_at: float


class ConversationPage(BaseModel):
    """Conversations, most recently active first; `next` is the `before` of the next page."""

    items: Sequence[Conversation]
    next: float | None


class MessagePage(BaseModel):
    """Messages, oldest first; `next` is the `before` of the page of older ones."""

    items: Sequence[Message]
    next: str | None


class NewMessage(BaseModel):
    """What an operator says."""

    text: Annotated[str, Field(min_length=1, max_length=20_000), Readable]


@router.get("/conversations")
async def list_conversations(
    parts: Parts,
    channel_id: Annotated[str, Readable] | None = Query(None, max_length=36),
    before: float | None = Query(None, allow_inf_nan=False),
    limit: int = Query(50, ge=1, le=200),
) -> ConversationPage:
    """A page of conversations, of one instance or of all."""
    async with parts.database.reading() as conn:
        rows = await conversations.list_conversations(conn, channel_id=channel_id, before=before, limit=limit)
    items = [Conversation.model_validate(row) for row in rows]
    return ConversationPage(items=items, next=items[-1].updated_at if len(items) == limit else None)


@router.get("/conversations/{conversation_id}")
async def get_conversation(conversation_id: Id, parts: Parts) -> Conversation:
    """One conversation."""
    async with parts.database.reading() as conn:
        return Conversation.model_validate(await _found(conn, conversation_id))


@router.get("/conversations/{conversation_id}/messages")
async def list_messages(
    conversation_id: Id,
    parts: Parts,
    before: Annotated[str, Readable] | None = Query(
        None, max_length=36, description="The id of a message to page back from."
    ),
    limit: int = Query(50, ge=1, le=200),
) -> MessagePage:
    """A page of a conversation's messages, the newest page first."""
    async with parts.database.reading() as conn:
        await _found(conn, conversation_id)
        rows = await conversations.messages_before(conn, conversation_id, before, limit)
    items = [Message.model_validate(row) for row in rows]
    return MessagePage(items=items, next=items[0].id if len(items) == limit else None)


@router.post("/conversations/{conversation_id}/messages", status_code=202)
async def say(conversation_id: Id, new: NewMessage, parts: Parts, actor: Actor) -> Message:
    """Say something in the chat: it is stored now, and the instance's own process sends it."""
    async with parts.database.transaction() as conn:
        row = await _found(conn, conversation_id)
        if row.closed_at is not None:
            raise Conflict("conversation_closed")
        await operator_message.write(conn, row, new.text, actor, actor)
        await operators.add_audit(conn, actor, "conversation.write", row.id)
        stored = await conversations.last_messages(conn, row.id, 1)
    await parts.control.wake("outbox", row.channel_id)
    return Message.model_validate(stored[0])


@router.put("/conversations/{conversation_id}/settings")
async def set_generation(
    conversation_id: Id, config: SamplingConfig, parts: Parts, actor: Actor
) -> Conversation:
    """Replace the generation settings of this conversation alone; they hold from its next message on."""
    async with parts.database.transaction() as conn:
        row = await _found(conn, conversation_id)
        if row.closed_at is not None:
            raise Conflict("conversation_closed")
        await conversations.save_settings(conn, row.id, merged(config.model_dump()))
        await operators.add_audit(conn, actor, "conversation.settings", row.id)
        return Conversation.model_validate(await _found(conn, conversation_id))


async def _found(conn: Any, conversation_id: str) -> Any:
    row = await conversations.get_conversation(conn, conversation_id)
    if row is None:
        raise NotFound("conversation", conversation_id)
    return row
