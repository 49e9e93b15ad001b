"""From a raw update to what a person said. Pure; tolerant of fields that it does not need."""

import json
import re
from dataclasses import replace
from typing import Any

from bots.address import Address
from bots.characters import whole
from bots.commands import COMMANDS, DRAWING, read_command
from bots.pictures import pictures_of
from core.channel import Unparseable
from core.messages import Attachment, InboundMessage

BUTTONS = ("retry", "stop", "length", "cancel", "again", "variations", "upscale", "animate")
LONGEST_QUOTE = 2000
LONGEST_NAME = 120
GROUPS = ("group", "supergroup")
WANTED = ("message", "callback_query", "stopped_message_generation")
Raw = dict[str, Any]


class Intake:
    """Reads updates for one bot: a group's message counts when it mentions, answers or commands the bot."""

    def __init__(self, bot_id: int, username: str) -> None:
        self._id = bot_id
        self._username = username.lower()
        self._mention = re.compile(rf"(?<!\w)@{re.escape(username)}\b[ \t]*", re.IGNORECASE)

    def parse(self, raw: str) -> InboundMessage | None:
        """A stored update as a message; None when it needs no answer. Raises Unparseable."""
        try:
            update = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise Unparseable(f"not JSON: {error}") from None
        return self.read(update)

    def read(self, update: Any) -> InboundMessage | None:
        """An update as a message; a Stop button is the command "stop"."""
        if not isinstance(update, dict):
            raise Unparseable("the update is no object")
        if "message" in update:
            message = _object(update, "message")
            return self._message(message, pictures_of(update, message))
        if "callback_query" in update:
            return self._pressed(_object(update, "callback_query"))
        if "stopped_message_generation" in update:
            stopped = _object(update, "stopped_message_generation")
            thread = stopped.get("message_thread_id")
            address = Address(
                _number(_object(stopped, "chat"), "id"), thread if isinstance(thread, int) else None
            )
            return InboundMessage(chat_key=address.key, text="", command="stop")
        return None

    def _message(self, message: Raw, pictures: tuple[Attachment, ...]) -> InboundMessage | None:
        chat = _object(message, "chat")
        address = _address(message)
        sender = _optional(message, "from")
        text = message.get("text", message.get("caption", "" if pictures else None))
        if chat.get("type") not in ("private", *GROUPS) or text is None:
            return None
        if sender.get("is_bot") and "sender_chat" not in message:
            return None  # two bots must not talk to each other for ever
        if not isinstance(text, str):
            raise Unparseable("the text is no string")
        if chat["type"] == "private":
            said = self._said(message, address, whole(text), quoted=_quoted(message))
        else:
            found = self._said_in_group(message, address, whole(text))
            if found is None:
                return None
            said = found
        drawn = not said.command or said.command in DRAWING
        return replace(said, attachments=pictures) if pictures and drawn else said

    def _said_in_group(self, message: Raw, address: Address, text: str) -> InboundMessage | None:
        quoted, answers_bot = _quoted(message), self._answers_bot(message)
        mentioned = self._mentioned(message, text)
        if mentioned:
            text = self._mention.sub("", text).strip() or text
            if quoted and self._mention.fullmatch(text):
                text, quoted = quoted, ""
        command = read_command(text)
        if command and command.bot and command.bot != self._username:
            return None
        commanded = command and (command.bot or command.name in COMMANDS)
        if not (commanded or mentioned or answers_bot):
            return None
        return self._said(message, address, text, quoted=quoted)

    def _said(self, message: Raw, address: Address, text: str, *, quoted: str) -> InboundMessage:
        command = read_command(text)
        sender, chat = _optional(message, "from"), _object(message, "chat")
        number = _number(message, "message_id")
        speaker = _name(_optional(message, "sender_chat")) or _name(sender)
        return InboundMessage(
            chat_key=address.key,
            text=text,
            external_id=str(number),
            speaker=speaker,
            language=_string(sender, "language_code"),
            title=_name(chat) or speaker,
            group=address.group,
            quoted=quoted,
            reply_to=str(number) if address.group else None,
            command=command.name if command else None,
            argument=command.argument if command else "",
            user_key=_user(sender),
        )

    def _pressed(self, query: Raw) -> InboundMessage | None:
        """A press of one of our buttons; others are None."""
        action, _, argument = _string(query, "data").partition(":")
        if action not in BUTTONS:
            return None
        message, sender = _object(query, "message"), _optional(query, "from")
        address = _address(message)
        return InboundMessage(
            chat_key=address.key,
            text="",
            external_id=_string(query, "id"),
            speaker=_name(sender),
            language=_string(sender, "language_code"),
            group=address.group,
            command=action,
            argument=argument,
            user_key=_user(sender),
        )

    def _mentioned(self, message: Raw, text: str) -> bool:
        if self._mention.search(text):
            return True
        entities = message.get("entities") or message.get("caption_entities") or ()
        entities = entities if isinstance(entities, list) else []
        users = [one.get("user") for one in entities if isinstance(one, dict)]
        return any(isinstance(user, dict) and user.get("id") == self._id for user in users)

    def _answers_bot(self, message: Raw) -> bool:
        replied = _optional(message, "reply_to_message")
        return _optional(replied, "from").get("id") == self._id and "forum_topic_created" not in replied


def chat_key(update: Raw) -> str:
    """The chat of an update that may be unreadable; "" when it cannot be told."""
    for name in WANTED:
        body = _optional(update, name)
        body = _optional(body, "message") if name == "callback_query" else body
        try:
            if body:
                return _address(body).key
        except Unparseable:
            return ""
    return ""


def _address(message: Raw) -> Address:
    thread = message.get("message_thread_id") if message.get("is_topic_message") else None
    return Address(_number(_object(message, "chat"), "id"), thread if isinstance(thread, int) else None)


def _quoted(message: Raw) -> str:
    replied = _optional(message, "reply_to_message")
    for holder, field in ((_optional(message, "quote"), "text"), (replied, "text"), (replied, "caption")):
        text = holder.get(field)
        if isinstance(text, str) and text.strip():
            return whole(text)[:LONGEST_QUOTE]
    return ""


def _name(who: Raw) -> str:
    parts = (_string(who, "title"), _string(who, "first_name"), _string(who, "last_name"))
    name = " ".join(part for part in parts if part) or _string(who, "username")
    return " ".join(name.split())[:LONGEST_NAME]


def _object(holder: Raw, name: str) -> Raw:
    value = holder.get(name)
    if not isinstance(value, dict):
        raise Unparseable(f'"{name}" is no object')
    return value


def _optional(holder: Raw, name: str) -> Raw:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _user(sender: Raw) -> str:
    """What tells a person apart from all others; "" for messages that nobody sent."""
    number = sender.get("id")
    return str(number) if isinstance(number, int) and not isinstance(number, bool) else ""


def _number(holder: Raw, name: str) -> int:
    value = holder.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unparseable(f'"{name}" is no number')
    return value


def _string(holder: Raw, name: str) -> str:
    value = holder.get(name)
    return whole(value) if isinstance(value, str) else ""
