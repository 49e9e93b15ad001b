"""What a model is asked and what it answers, the same for every vendor."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """One message of a request; `role` is system, user or assistant."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """Generation settings; None leaves the vendor's default."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What is asked. `language` ("en", "ru") is the reader's; `scope` names knowledge bases that a
    knowledge candidate may search; vendors ignore both."""

    turns: tuple[ChatTurn, ...]
    sampling: Sampling = field(default_factory=Sampling)
    language: str = "en"
    scope: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Text:
    """Visible text."""

    text: str


@dataclass(frozen=True, slots=True)
class Thinking:
    """Reasoning: never shown, counts as progress."""

    text: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """What the vendor counted; None is unknown."""

    input: int | None
    output: int | None


@dataclass(frozen=True, slots=True)
class Cited:
    """Where an answer comes from: `kind` is faq or document, `ref` its row id, `title` for people."""

    kind: str
    ref: str
    title: str


@dataclass(frozen=True, slots=True)
class Restart:
    """Only from a route: forget the text so far, another candidate begins anew."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The last delta of a complete answer; `reason` is stop, length, content_filter or tool_calls."""

    reason: str


Delta = Text | Thinking | Tokens | Cited | Restart | Finish


class ChatModel(Protocol):
    """One model at one provider, with one key."""

    def stream(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Yield deltas up to a Finish.

        Raises ProviderError for everything that went wrong, a stream that ends without a finish too.
        Closing the iterator closes the upstream connection within a second.
        """
        ...


class Provider(Protocol):
    """An account at a vendor: credentials and one HTTP client."""

    def model(self, name: str, key: str) -> ChatModel:
        """A model of this provider, called with one of its keys ("" where none is needed)."""
        ...

    async def models(self, key: str) -> list[str]:
        """Names of the models the provider lists; the *Test* button. Raises ProviderError."""
        ...

    async def close(self) -> None:
        """Close the HTTP client."""
        ...


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """What a provider is built from; `base_url` "" means the catalogue's."""

    id: str
    kind: str
    base_url: str = ""
    keys: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
