"""One channel instance's configuration, read from rows once per version of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.limits.rule import Rule
from core.media.routes import MediaRoute
from core.routing.spec import RouteSpec


@dataclass(frozen=True, slots=True)
class Character:
    """Who speaks in an instance."""

    id: str = "default"
    name: str = ""
    prompt: str = ""
    greeting: str = ""
    rating: str = "general"
    sampling: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FaqEntry:
    """One FAQ entry; `match` is exact, wildcard, regex or close."""

    id: str
    question: str
    answer: str
    match: str


@dataclass(frozen=True, slots=True)
class Instance:
    """Everything that a turn needs to know of its instance; no secrets but the providers' keys,
    which come over the socket pair and not from the rows."""

    id: str
    kind: str
    slug: str
    name: str
    config: dict[str, Any]
    version: int
    character: Character = Character()
    route: RouteSpec = RouteSpec()
    base_ids: tuple[str, ...] = ()
    faqs: tuple[FaqEntry, ...] = ()
    limits: tuple[Rule, ...] = ()
    media: Mapping[str, MediaRoute] = field(default_factory=dict)
