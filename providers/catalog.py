"""The vendors of catalog.toml as values."""

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

CATALOG = Path(__file__).with_name("catalog.toml")


class UnknownKind(ValueError):
    """A provider kind that the catalogue does not have."""


@dataclass(frozen=True, slots=True)
class CatalogModel:
    """A model that a vendor is known to have; `context` 0 is unknown."""

    name: str
    quality: int = 0
    context: int = 0
    free: bool = False


@dataclass(frozen=True, slots=True)
class Quirk:
    """How some of a vendor's models differ; `models` are glob patterns."""

    models: tuple[str, ...] = ("*",)
    no_system: bool = False
    refuses: tuple[str, ...] = ()
    max_tokens_as: str = ""
    usage: bool = True


@dataclass(frozen=True, slots=True)
class Vendor:
    """One entry of the catalogue. `base_url` "" means that every provider brings its own."""

    kind: str
    label: str
    wire: str = "openai"
    base_url: str = ""
    key_env: str = ""
    local: bool = False
    port: int = 0
    models: tuple[CatalogModel, ...] = ()
    quirks: tuple[Quirk, ...] = ()

    def best(self, count: int) -> tuple[CatalogModel, ...]:
        """Its `count` models of the highest quality, best first."""
        return tuple(sorted(self.models, key=lambda model: -model.quality)[:count])

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


def find_vendor(kind: str) -> Vendor:
    """A vendor by its kind; raises UnknownKind, which lists the known ones."""
    known = vendors()
    if kind not in known:
        raise UnknownKind(f"unknown provider kind {kind!r}; known: {', '.join(known)}")
    return known[kind]


def _vendor(kind: str, entry: dict[str, Any]) -> Vendor:
    models = tuple(CatalogModel(**model) for model in entry.pop("models", ()))
    quirks = tuple(_quirk(quirk) for quirk in entry.pop("quirks", ()))
    return Vendor(kind=kind, models=models, quirks=quirks, **entry)


def _quirk(entry: dict[str, Any]) -> Quirk:
    lists = {name: tuple(value) for name, value in entry.items() if isinstance(value, list)}
    values: dict[str, Any] = {**entry, **lists}
    return Quirk(**values)
