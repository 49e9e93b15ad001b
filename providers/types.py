"""What a model is asked and what it answers, the same for every vendor."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Image:
    """A picture in a question: `url` is https: or a data: URL; `detail` is low, high, auto or "". An
    `optional` one belongs to an earlier question: a model that does not see answers without it."""

    url: str = field(repr=False)
    detail: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model asked for in an earlier turn; `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatTurn:
    """One message of a request; `role` is system, user, assistant or tool.

    `images` belong to a user's turn, `calls` to an assistant's, `call_id` names the call that a tool's
    turn answers; `name` tells speakers of one role apart."""

    role: str
    text: str
    images: tuple[Image, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Generation settings; None leaves the vendor's default. A vendor gets only what it takes, clamped."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What is asked. `language` ("en", "ru") is the reader's; `scope` names knowledge bases that a
    knowledge candidate may search; vendors ignore both.

    `tools` and `tool_choice` are in OpenAI's shape; with `tools_optional` a model that has no tools answers
    without them; `output` is OpenAI's `response_format`
    (json_object or json_schema), None for text. `extra` holds further parameters of OpenAI's API that
    a vendor of that wire gets as they are (logit_bias, reasoning_effort, ...); others ignore them.
    """

    turns: tuple[ChatTurn, ...]
    sampling: Sampling = field(default_factory=Sampling)
    language: str = "en"
    scope: tuple[str, ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    tools_optional: bool = False
    tool_choice: str | dict[str, Any] | None = None
    output: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)


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
    """What the vendor counted; None is unknown. `cached` is the part of the input that it had cached."""

    input: int | None
    output: int | None
    cached: int | None = None


@dataclass(frozen=True, slots=True)
class CallPart:
    """A piece of a tool call that the model makes now: number `index` of this answer. `id` and `name` come
    with its first piece, `arguments` is the next piece of JSON text. Visible: it commits an answer."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


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


Delta = Text | Thinking | CallPart | Tokens | Cited | Restart | Finish


class ChatModel(Protocol):
    """One model at one provider, with one key."""

    @property
    def prefill(self) -> bool:
        """Whether it goes on with an answer that stands as the request's last turn."""
        ...

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
    """What a provider is built from; `base_url` "" means the catalogue's. `proxies` are addresses of HTTP
    or SOCKS5 proxies, tried in order."""

    id: str
    kind: str
    base_url: str = ""
    keys: tuple[str, ...] = field(default=(), repr=False)
    options: dict[str, Any] = field(default_factory=dict)
    proxies: tuple[str, ...] = field(default=(), repr=False)
