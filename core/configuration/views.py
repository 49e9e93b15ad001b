"""The configuration as people and programs read it: no secret is in here, only hints at them."""

from dataclasses import dataclass
from typing import Any

SHOWN = ("file", "file-gone")


def managed_of(row: Any) -> str:
    """Who manages a row, as far as it matters to people: "file", "file-gone", or "" for the panel."""
    return str(row.managed) if row.managed in SHOWN else ""


@dataclass(frozen=True, slots=True)
class Instance:
    """What bots and widgets have in common; `managed` is "", "file" or "file-gone"."""

    id: str
    channel_id: str
    name: str
    enabled: bool
    route: str | None
    character: str | None
    bases: list[str]
    managed: str
    state: str
    state_reason: str
    state_since: float
    restarts: int
    created_at: float
    updated_at: float
    image_route: str | None
    video_route: str | None


@dataclass(frozen=True, slots=True)
class Bot(Instance):
    """A bot; `token_hint` is the public part of its token."""

    address: str
    api_base: str | None
    has_token: bool
    token_hint: str


@dataclass(frozen=True, slots=True)
class Widget(Instance):
    """A website's chat."""

    origins: list[str]
    title: str
    color: str | None


@dataclass(frozen=True, slots=True)
class KeyHint:
    """A provider's key, as far as it may be shown."""

    id: str
    hint: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Provider:
    """An account at a vendor, or a server; `proxies` are shown without their passwords."""

    id: str
    kind: str
    name: str
    base_url: str | None
    enabled: bool
    keys: list[KeyHint]
    headers: dict[str, str]
    proxies: list[str]
    connect: float | None
    first_token: float | None
    gap: float | None
    whole: float | None
    stream: bool
    cooldown: float | None
    private: bool
    billed: bool
    models: list[dict[str, Any]]
    media_poll: float | None
    media_deadline: float | None
    media_answer: float | None
    media_largest: int | None
    result_hosts: list[str]
    location: str | None
    managed: str
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class Route:
    """Who answers, in order."""

    id: str
    name: str
    candidates: list[str]
    temperature: float | None
    top_p: float | None
    top_k: int | None
    frequency_penalty: float | None
    presence_penalty: float | None
    max_tokens: int | None
    length: str | None
    token_budget: int | None
    deadline: float | None
    first_token: float | None
    content_fallback: bool
    local_only: bool
    show_reasoning: bool
    managed: str
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class Character:
    """Who speaks."""

    id: str
    name: str
    prompt: str
    greeting: str
    rating: str
    temperature: float | None
    top_p: float | None
    top_k: int | None
    frequency_penalty: float | None
    presence_penalty: float | None
    max_tokens: int | None
    length: str | None
    managed: str
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class Base:
    """A knowledge base with the number of its entries."""

    id: str
    name: str
    faqs: int
    documents: int
    managed: str
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class Faq:
    """A question with its answer."""

    id: str
    base: str
    question: str
    answer: str
    match: str
    managed: str
    created_at: float
    updated_at: float


@dataclass(frozen=True, slots=True)
class Document:
    """A document without its text; `digest` is the sha256 of its bytes."""

    id: str
    base: str
    name: str
    mime: str
    size: int
    digest: str
    managed: str
    created_at: float
    updated_at: float
