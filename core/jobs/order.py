"""What somebody wants made, on its way into a row and out of it again."""

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from providers.media.types import Making, MediaInput, MediaRequest, Task


@dataclass(frozen=True, slots=True)
class Source:
    """An input by where it is kept: an `artifact`, or an `upload` of the job's channel."""

    role: str = "image"
    artifact: str = ""
    upload: str = ""


@dataclass(frozen=True, slots=True)
class Wish(Making):
    """What somebody wants made, as rows keep it: with its inputs by name, and a preset's id."""

    inputs: tuple[Source, ...] = ()
    preset: str = ""

    def to_json(self) -> dict[str, Any]:
        """As a row keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        inputs = tuple(Source(**one) for one in data.get("inputs", ()))
        return cls(**{**data, "task": Task(data["task"]), "inputs": inputs})

    def request(self, files: list[tuple[Path, str]]) -> MediaRequest:
        """What a model is asked; `files` are the inputs' paths and types, in their order."""
        inputs = tuple(
            MediaInput(path, mime, source.role)
            for source, (path, mime) in zip(self.inputs, files, strict=True)
        )
        values = {one.name: getattr(self, one.name) for one in fields(Making)}
        return MediaRequest(**{**values, "params": dict(self.params)}, inputs=inputs)

    def with_seed(self, seed: int | None) -> Self:
        """The same with another seed."""
        return replace(self, seed=seed)


@dataclass(frozen=True, slots=True)
class Reply:
    """Where the result goes: the message `message_id` of a chat, which says meanwhile that work is under way.
    `quote` is the external id that the answer replies to. `caption` is written under what was made; `offers`
    are the buttons there: variations, upscale, animate."""

    message_id: str = ""
    quote: str | None = None
    caption: str = ""
    offers: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As a row keeps it."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(**{**data, "offers": tuple(data.get("offers", ()))})


@dataclass(frozen=True, slots=True)
class Order:
    """A wish, who wants it and where it goes. `candidates` are a route's lines at this moment; `source` is
    chat, tool, api, mcp or panel; `key` makes a repeated order the same job. `lane` is its priority: higher
    goes first. `delay` is in seconds. `rating` is that of the character who is asked (general or adult)."""

    wish: Wish
    candidates: tuple[str, ...]
    source: str
    route_id: str | None = None
    channel_id: str = ""
    chat_key: str = ""
    user_key: str = ""
    key_id: str = ""
    key: str = ""
    language: str = "en"
    lane: int = 0
    delay: float = 0.0
    reply: Reply | None = None
    queue: str = "cloud"
    rating: str = "general"
