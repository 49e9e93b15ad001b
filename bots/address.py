"""Where a message goes: a chat, or one topic of it."""

from dataclasses import dataclass
from typing import Any

from core.channel import Rejected


@dataclass(frozen=True, slots=True)
class Address:
    """A chat and its topic; `key` is how the core knows it. Groups have negative ids."""

    chat_id: int
    thread: int | None = None

    @classmethod
    def parse(cls, key: str) -> "Address":
        """The inverse of `key`; raises Rejected for what is no chat of this kind."""
        chat, _, thread = key.partition("/")
        try:
            return cls(int(chat), int(thread) if thread else None)
        except ValueError:
            raise Rejected(f"not a chat: {key[:40]!r}") from None

    @property
    def key(self) -> str:
        """The chat key of the core."""
        return str(self.chat_id) if self.thread is None else f"{self.chat_id}/{self.thread}"

    @property
    def group(self) -> bool:
        """Whether the chat is a group."""
        return self.chat_id < 0

    @property
    def params(self) -> dict[str, Any]:
        """As Bot API methods take it."""
        if self.thread is None:
            return {"chat_id": self.chat_id}
        return {"chat_id": self.chat_id, "message_thread_id": self.thread}
