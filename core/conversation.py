"""A conversation as the core uses it: its newest messages within a budget of tokens."""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.instance import Instance
from core.messages import InboundMessage
from core.sampling import merged, to_sampling
from db import conversations
from providers.types import ChatRequest, ChatTurn

TOKEN_BUDGET = 24_000
MESSAGE_BUDGET = 50
ANSWERED = ("final", "stopped")  # failed and replaced messages are not shown to a model again


@dataclass(frozen=True, slots=True)
class Past:
    """An open conversation's id (None before its first message) and newest messages, oldest first."""

    id: str | None = None
    messages: tuple[Any, ...] = ()

    @property
    def last_question(self) -> Any | None:
        """The newest message of the user."""
        return next((row for row in reversed(self.messages) if row.role == "user"), None)

    def before_last_question(self) -> "Past":
        """The same without the newest question and what answered it."""
        position = max(index for index, row in enumerate(self.messages) if row.role == "user")
        return Past(self.id, self.messages[:position])


async def load_past(conn: AsyncConnection, channel_id: str, chat_key: str) -> Past:
    """Read the open conversation of a chat."""
    row = await conversations.open_conversation(conn, channel_id, chat_key)
    if row is None:
        return Past()
    messages = await conversations.last_messages(conn, row.id, MESSAGE_BUDGET)
    return Past(row.id, tuple(messages))


def message_id(channel_id: str, external_id: str, role: str) -> str:
    """The id of an update's question or answer: the same when a crashed turn is repeated."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"botyard:{channel_id}/{external_id}/{role}"))


def estimate_tokens(text: str) -> int:
    """Roughly how many tokens a text has: a quarter of its UTF-8 bytes, and a few for its frame."""
    return len(text.encode("utf-8", "replace")) // 4 + 4


def to_request(instance: Instance, past: Past, message: InboundMessage, language: str) -> ChatRequest:
    """The request for a model: character, as much of the past as fits, and the question."""
    budget = int(instance.route.settings.get("token_budget", TOKEN_BUDGET))
    system = _system_turns(instance)
    question = ChatTurn("user", _question(message))
    spent = sum(estimate_tokens(turn.text) for turn in (*system, question))
    turns = _within(_turns_of(past.messages, message.group), budget - spent)
    return ChatRequest(
        turns=(*system, *turns, question),
        sampling=to_sampling(merged(instance.route.settings, instance.character.sampling)),
        language=language,
        scope=instance.base_ids,
    )


def _system_turns(instance: Instance) -> tuple[ChatTurn, ...]:
    prompt = instance.character.prompt.strip()
    return (ChatTurn("system", prompt),) if prompt else ()


def _question(message: InboundMessage) -> str:
    text = message.text
    if message.quoted:
        quote = "\n".join(f"> {line}" for line in message.quoted.splitlines())
        text = f"{quote}\n\n{text}"
    return f"{message.speaker}: {text}" if message.group and message.speaker else text


def _turns_of(rows: Sequence[Any], group: bool) -> Iterable[ChatTurn]:
    for row in rows:
        if row.status in ANSWERED and row.text:
            named = group and row.role == "user" and row.speaker
            yield ChatTurn(row.role, f"{row.speaker}: {row.text}" if named else row.text)


def _within(turns: Iterable[ChatTurn], budget: int) -> list[ChatTurn]:
    kept: list[ChatTurn] = []
    for turn in reversed(list(turns)):
        budget -= estimate_tokens(turn.text)
        if budget < 0:
            break
        kept.append(turn)
    return kept[::-1]
