"""A conversation as the core uses it: its newest messages within a budget of tokens."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.instance import Instance
from core.messages import InboundMessage
from core.pictures import Picture
from core.sampling import length_hint, merged, to_sampling
from core.texts import text
from db import conversations
from providers.types import ChatRequest, ChatTurn, Image

TOKEN_BUDGET = 24_000
MESSAGE_BUDGET = 50
PICTURE_TOKENS = 1000  # what a picture takes of the budget: roughly what vendors count
NO_PICTURES: Mapping[str, Picture] = {}
ANSWERED = ("final", "stopped")  # failed and replaced messages are not shown to a model again


@dataclass(frozen=True, slots=True)
class Past:
    """An open conversation's id (None before its first message), newest messages, oldest first, and its
    own generation settings."""

    id: str | None = None
    messages: tuple[Any, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def last_question(self) -> Any | None:
        """The newest message of the user."""
        return next((row for row in reversed(self.messages) if row.role == "user"), None)

    def before_last_question(self) -> "Past":
        """The same without the newest question and what answered it."""
        position = max(index for index, row in enumerate(self.messages) if row.role == "user")
        return Past(self.id, self.messages[:position], self.settings)


async def load_past(conn: AsyncConnection, channel_id: str, chat_key: str) -> Past:
    """Read the open conversation of a chat."""
    row = await conversations.open_conversation(conn, channel_id, chat_key)
    if row is None:
        return Past()
    messages = await conversations.last_messages(conn, row.id, MESSAGE_BUDGET)
    return Past(row.id, tuple(messages), row.settings)


def message_id(channel_id: str, external_id: str, role: str) -> str:
    """The id of an update's question or answer: the same when a crashed turn is repeated."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"botyard:{channel_id}/{external_id}/{role}"))


def estimate_tokens(text: str) -> int:
    """Roughly how many tokens a text has: a quarter of its UTF-8 bytes, and a few for its frame."""
    return len(text.encode("utf-8", "replace")) // 4 + 4


def settings_of(instance: Instance, past: Past) -> dict[str, Any]:
    """The generation settings that hold in a conversation: its own before the character's and the route's."""
    return merged(instance.route.settings, instance.character.sampling, past.settings)


def refs_of(row: Any) -> list[str]:
    """The pictures that came with a stored message."""
    return [str(one["ref"]) for one in row.attachments or () if one.get("kind") == "image"]


def to_request(
    instance: Instance,
    past: Past,
    message: InboundMessage,
    language: str,
    pictures: Mapping[str, Picture] = NO_PICTURES,
) -> ChatRequest:
    """The request for a model: character, as much of the past as fits, and the question. `pictures` are
    those that could be fetched, by ref; a note says where one is missing."""
    settings = settings_of(instance, past)
    budget = int(instance.route.settings.get("token_budget", TOKEN_BUDGET))
    system = _system_turns(instance, length_hint(settings, language))
    lost = text("picture_lost", language)
    refs = [one.ref for one in message.attachments]
    question = _shown(ChatTurn("user", _question(message)), refs, pictures, lost)
    spent = sum(_cost(turn) for turn in (*system, question))
    shown = _past_turns(past.messages, message.group, pictures, text("picture_earlier", language))
    turns = _within(list(shown), budget - spent)
    return ChatRequest(
        turns=(*system, *turns, question),
        sampling=to_sampling(settings),
        language=language,
        scope=instance.base_ids,
    )


def _system_turns(instance: Instance, hint: str) -> tuple[ChatTurn, ...]:
    prompt = "\n\n".join(part for part in (instance.character.prompt.strip(), hint) if part)
    return (ChatTurn("system", prompt),) if prompt else ()


def _question(message: InboundMessage) -> str:
    words = message.text
    if message.quoted:
        quote = "\n".join(f"> {line}" for line in message.quoted.splitlines())
        words = f"{quote}\n\n{words}"
    return f"{message.speaker}: {words}" if message.group and message.speaker else words


def _past_turns(
    rows: Sequence[Any], group: bool, pictures: Mapping[str, Picture], note: str
) -> Iterator[ChatTurn]:
    for row in rows:
        refs = refs_of(row)
        if row.status in ANSWERED and (row.text or refs):
            named = group and row.role == "user" and row.speaker
            turn = ChatTurn(row.role, f"{row.speaker}: {row.text}" if named else row.text)
            yield _shown(turn, refs, pictures, note, optional=True)


def _shown(
    turn: ChatTurn, refs: Sequence[str], pictures: Mapping[str, Picture], note: str, optional: bool = False
) -> ChatTurn:
    """A turn with its pictures, and a note for each that is not there."""
    if not refs:
        return turn
    images = tuple(Image(pictures[ref].url, optional=optional) for ref in refs if ref in pictures)
    words = [turn.text, *[note for ref in refs if ref not in pictures]]
    return ChatTurn(turn.role, "\n".join(part for part in words if part), images)


def _cost(turn: ChatTurn) -> int:
    return estimate_tokens(turn.text) + PICTURE_TOKENS * len(turn.images)


def _within(turns: Sequence[ChatTurn], budget: int) -> list[ChatTurn]:
    kept: list[ChatTurn] = []
    for turn in reversed(turns):
        budget -= _cost(turn)
        if budget < 0:
            break
        kept.append(turn)
    return kept[::-1]
