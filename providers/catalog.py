"""The vendors of catalog.toml as values."""

import tomllib
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

CATALOG = Path(__file__).with_name("catalog.toml")


class UnknownKind(ValueError):
    """A provider kind that the catalogue does not have."""


@dataclass(frozen=True, slots=True)
class CatalogModel:
    """A model that a vendor is known to have; `context` 0 is unknown, and so is an ability that is None."""

    name: str
    quality: int = 0
    context: int = 0
    free: bool = False
    vision: bool | None = None
    tools: bool | None = None
    json: bool | None = None
    reasoning: bool | None = None


@dataclass(frozen=True, slots=True)
class Quirk:
    """How some of a vendor's models differ; `models` are glob patterns.

    `refuses` are sampling parameters to leave out, `clamp` the range of those that have a narrower one;
    `top_k` tells that it is taken. `prefill` is how an answer's beginning is given: "" not at all, "plain"
    (a last turn of the assistant is gone on with), "prefix" (that turn is marked `prefix`), "continue"
    (vLLM's continue_final_message).
    """

    models: tuple[str, ...] = ("*",)
    no_system: bool = False
    refuses: tuple[str, ...] = ()
    clamp: dict[str, tuple[float, float]] = field(default_factory=dict)
    top_k: bool = False
    prefill: str = ""
    max_tokens_as: str = ""
    usage: bool = True


@dataclass(frozen=True, slots=True)
class Vendor:
    """One entry of the catalogue. `wire` "" means that it makes pictures and videos alone (see
    providers/media). `base_url` "" means that every provider brings its own. `embeddings` and
    `responses` tell which other calls of OpenAI's API it has, None where only asking tells. `prices` names
    it in genai-prices where that differs; `site` is where people get a key."""

    kind: str
    label: str
    wire: str = "openai"
    base_url: str = ""
    key_env: str = ""
    local: bool = False
    port: int = 0
    embeddings: bool | None = False
    responses: bool | None = False
    prices: str = ""
    site: str = ""
    models: tuple[CatalogModel, ...] = ()
    quirks: tuple[Quirk, ...] = ()

    @property
    def chat(self) -> bool:
        """Whether it has models to talk to."""
        return bool(self.wire)

    def best(self, count: int) -> tuple[CatalogModel, ...]:
        """Its `count` models of the highest quality, best first."""
        return tuple(sorted(self.models, key=lambda model: -model.quality)[:count])

    def model(self, name: str) -> CatalogModel | None:
        """A model by its name; None when the catalogue does not have it."""
        return next((known for known in self.models if known.name == name), None)

    def context(self, model: str) -> int:
        """A model's context size in tokens, 0 when unknown."""
        return next((known.context for known in self.models if known.name == model), 0)

    def quirk(self, model: str) -> Quirk:
        """What is special about a model: the first entry whose pattern matches."""
        for quirk in self.quirks:
            if any(fnmatchcase(model, pattern) for pattern in quirk.models):
                return quirk
        return Quirk()


@cache
def vendors() -> dict[str, Vendor]:
    """Every vendor by its kind, in the catalogue's order."""
    entries = tomllib.loads(CATALOG.read_text(encoding="utf-8"))
    return {kind: _vendor(kind, entry) for kind, entry in entries.items()}


def has_chat(kind: str) -> bool:
    """Whether a kind has models to talk to; true also of a kind that nobody knows here."""
    vendor = vendors().get(kind)
    return vendor is None or vendor.chat


def find_vendor(kind: str) -> Vendor:
    """A vendor by its kind; raises UnknownKind, which lists the known ones."""
    known = vendors()
    if kind not in known:
        raise UnknownKind(f"unknown provider kind {kind!r}; known: {', '.join(known)}")
    return known[kind]


def _vendor(kind: str, entry: dict[str, Any]) -> Vendor:
    models = tuple(CatalogModel(**model) for model in entry.pop("models", ()))
    quirks = tuple(_quirk(quirk) for quirk in entry.pop("quirks", ()))
    entry |= {name: None for name in ("embeddings", "responses") if entry.get(name) == "unknown"}
    return Vendor(kind=kind, models=models, quirks=quirks, **entry)


def _quirk(entry: dict[str, Any]) -> Quirk:
    lists = {name: tuple(value) for name, value in entry.items() if isinstance(value, list)}
    clamp = {name: (float(low), float(high)) for name, (low, high) in entry.get("clamp", {}).items()}
    values: dict[str, Any] = {**entry, **lists, "clamp": clamp}
    return Quirk(**values)
