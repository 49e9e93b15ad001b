"""Visitors: the tokens they carry, and what this process remembers of each chat."""

import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import jwt

from widget.ring import Ring

MOST_CHATS = 5000
STREAMS_OF_ONE = 16
ALGORITHM = "HS256"


class Tokens:
    """Mints and checks visitors' tokens; they are valid for one widget."""

    def __init__(self, secret: str, widget_id: str) -> None:
        self._secret = secret
        self._widget_id = widget_id

    def mint(self) -> tuple[str, str]:
        """A new visitor's id and token."""
        visitor = uuid.uuid4().hex
        claims = {"sub": visitor, "aud": self._widget_id, "iat": int(time.time())}
        return visitor, jwt.encode(claims, self._secret, ALGORITHM)

    def visitor_of(self, token: str) -> str | None:
        """The visitor that a token names; None when it is not one of ours."""
        try:
            claims = jwt.decode(
                token, self._secret, [ALGORITHM], audience=self._widget_id,
                options={"require": ["sub", "aud", "iat"]},
            )  # fmt: skip
        except (jwt.InvalidTokenError, UnicodeError):
            return None
        return str(claims["sub"])


@dataclass(frozen=True, slots=True)
class Question:
    """A message that waits for its answer."""

    id: str
    key: str
    text: str
    answer: str
    created_at: float
    pictures: tuple[str, ...] = ()

    def public(self) -> dict[str, Any]:
        """As the browser gets it; commands of buttons are no part of the conversation."""
        return {
            "id": self.id,
            "key": self.key,
            "text": "" if self.text in ("/new", "/retry") else self.text,
            "answer": self.answer,
            "created_at": self.created_at,
            **({"pictures": list(self.pictures)} if self.pictures else {}),
        }


@dataclass(slots=True)
class Chat:
    """A visitor's chat as this process knows it; `live` is the answer being written."""

    ring: Ring = field(default_factory=Ring)
    questions: dict[str, Question] = field(default_factory=dict)  # by the id of the answer
    untold: set[str] = field(default_factory=set)  # answers whose questions no reader heard of yet
    live: tuple[str, str] | None = None
    streams: int = 0

    def ask(self, question: Question) -> None:
        """A message is about to be stored."""
        self.questions[question.answer] = question
        self.untold.add(question.answer)

    def tell(self, answer: str) -> None:
        """A message is stored: let the readers know, once."""
        if answer in self.untold:
            self.untold.discard(answer)
            self.ring.publish("message", **self.questions[answer].public())

    def forget(self, answer: str) -> Question | None:
        """A message is answered, or was not stored."""
        self.untold.discard(answer)
        return self.questions.pop(answer, None)


class Chats:
    """The chats heard of lately; a forgotten one is read from the rows again."""

    def __init__(self) -> None:
        self._chats: OrderedDict[str, Chat] = OrderedDict()

    def of(self, visitor: str) -> Chat:
        """A visitor's chat."""
        chat = self._chats.get(visitor)
        if chat is None:
            chat = self._chats[visitor] = Chat()
            self._make_room()
        self._chats.move_to_end(visitor)
        return chat

    def _make_room(self) -> None:
        if len(self._chats) <= MOST_CHATS:
            return
        for visitor, chat in self._chats.items():
            if not (chat.streams or chat.questions or chat.live):
                del self._chats[visitor]
                return
