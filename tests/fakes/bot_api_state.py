"""What the fake Bot API server remembers: bots, chats, calls and scripted faults."""

import asyncio
import time
import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any

OFF_BY_DEFAULT = {"chat_member", "message_reaction", "message_reaction_count"}


@dataclass
class Call:
    """An accepted call. `at` is monotonic (the same clock in every process of a machine)."""

    token: str
    method: str
    params: dict[str, Any]
    at: float
    result: Any = None
    lost: bool = False

    @property
    def chat_id(self) -> int | None:
        """The chat it was for."""
        value = self.params.get("chat_id")
        return int(value) if value is not None else None


@dataclass
class Shown:
    """A message as a person sees it now. `at` is when it appeared, `edited` when it was last changed."""

    token: str
    chat_id: int
    message_id: int
    text: str
    at: float
    entities: list[dict[str, Any]] = field(default_factory=list)
    reply_to: int | None = None
    thread: int | None = None
    buttons: list[list[dict[str, Any]]] = field(default_factory=list)
    edited: float = 0.0
    history: list[str] = field(default_factory=list)
    media: list[tuple[str, bytes]] = field(default_factory=list)


@dataclass
class Fault:
    """What happens to the next `count` calls that match. `kind`: "429" (retry_after), "error" (code,
    description, migrate_to), "lost_reply" (accepted, then the connection is cut), "drop" (cut before it was
    accepted), "delay" (seconds, then served). Without a method it does not strike getUpdates and getMe."""

    kind: str
    count: int = 1
    method: str | None = None
    token: str | None = None
    chat_id: int | None = None
    retry_after: int = 1
    code: int = 400
    description: str = "Bad Request"
    seconds: float = 1.0
    migrate_to: int | None = None

    def take(self, token: str, method: str, params: dict[str, Any]) -> bool:
        """Whether it strikes this call; counts down."""
        if self.count <= 0 or method != (self.method or method) or token != (self.token or token):
            return False
        if self.method is None and method in ("getUpdates", "getMe"):
            return False
        if self.chat_id is not None and str(params.get("chat_id")) != str(self.chat_id):
            return False
        self.count -= 1
        return True


class Bot:
    """One token: its updates, its poll, what it was told."""

    def __init__(self, token: str) -> None:
        head = token.partition(":")[0]
        self.token = token
        self.id = int(head) if head.isdigit() else zlib.crc32(token.encode())
        self.username = f"bot{self.id}_bot"
        self.updates: deque[dict[str, Any]] = deque()
        self.next_id = int(time.time() * 100) % 2**31  # update ids go on after a restart of the server
        self.allowed: set[str] | None = None
        self.poll: asyncio.Future[str] | None = None
        self.polls = 0
        self.webhook = ""
        self.commands: dict[str, Any] = {}

    @property
    def user(self) -> dict[str, Any]:
        """As getMe says."""
        return {"id": self.id, "is_bot": True, "first_name": f"Bot {self.id}", "username": self.username}

    def add(self, update: dict[str, Any]) -> dict[str, Any]:
        """Queue an update; wakes the poll. An "update_id" given is kept."""
        update = {"update_id": self.next_id, **update}
        if isinstance(update["update_id"], int):
            self.next_id = max(self.next_id, update["update_id"]) + 1
        kind = next((name for name in update if name != "update_id"), "")
        wanted = kind in self.allowed if self.allowed else kind not in OFF_BY_DEFAULT
        known = kind in ("message", "edited_message", "callback_query", "stopped_message_generation")
        if wanted or not known:  # the original filters what it knows; strangers are here to test the reader
            self.updates.append(update)
            self.wake("update")
        return update

    def wake(self, why: str) -> None:
        """End a waiting poll."""
        if self.poll is not None and not self.poll.done():
            self.poll.set_result(why)

    def pending(self, offset: int, limit: int) -> list[dict[str, Any]]:
        """Confirm what is before the offset; the rest, oldest first."""
        if offset < 0:
            while len(self.updates) > -offset:
                self.updates.popleft()
        while self.updates and offset > 0 and self.updates[0]["update_id"] < offset:
            self.updates.popleft()
        return [self.updates[number] for number in range(min(limit, len(self.updates)))]


class Store:
    """All that the server remembers."""

    def __init__(self) -> None:
        self.bots: dict[str, Bot] = {}
        self.shown: dict[int, dict[tuple[str, int], Shown]] = {}
        self.drafts: dict[tuple[str, int], tuple[str, float]] = {}
        self.deleted: list[Shown] = []
        self.next_message = 100

    def bot(self, token: str) -> Bot:
        """The bot of a token, made when first seen."""
        if token not in self.bots:
            self.bots[token] = Bot(token)
        return self.bots[token]

    def new_message_id(self) -> int:
        """A message id of its own."""
        self.next_message += 1
        return self.next_message

    def show(self, token: str, params: dict[str, Any], text: str) -> Shown:
        """A new message appears."""
        chat_id = int(params["chat_id"])
        one = Shown(token, chat_id, self.new_message_id(), text, time.monotonic())
        one.entities = params.get("entities") or []
        one.reply_to = (params.get("reply_parameters") or {}).get("message_id")
        one.thread = params.get("message_thread_id")
        one.buttons = (params.get("reply_markup") or {}).get("inline_keyboard", [])
        self.shown.setdefault(chat_id, {})[token, one.message_id] = one
        self.drafts.pop((token, chat_id), None)
        return one

    def visible(self, chat_id: int, token: str | None = None) -> list[Shown]:
        """The messages of a chat as they are now, oldest first."""
        return [one for one in self.shown.get(chat_id, {}).values() if token in (None, one.token)]
