"""Presets: what a model is asked with where a caller leaves it open, and how far he may go.

The authors' own recommendations are data (presets.toml); rows that people edit go before them. Those marked
standard hold for every request to a model that they match, others only for whoever names one.
"""

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from db.database import Database
from db.media import Preset as PresetRow
from db.slugs import all_of
from providers.media.cards import BadMediaRequest, Card
from providers.media.types import MediaRequest

FILE = Path(__file__).with_name("presets.toml")
SIZES = ("width", "height")
FIELDS = (*SIZES, "count", "seconds", "strength", "seed")  # values that are a request's own, not its params


class Named(Protocol):
    """Who names a preset: a job's wish; "" is nobody."""

    @property
    def preset(self) -> str:
        """The preset's id."""
        ...


class Preparing(Protocol):
    """What fills in a request for a model by its name, and its card where one is known."""

    def __call__(self, model: str, request: MediaRequest, card: Card | None = None) -> MediaRequest:
        """The request as the model is to be asked. Raises BadMediaRequest."""
        ...


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset as a value; `models` are glob patterns, separated by commas."""

    id: str
    name: str
    models: str
    task: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, Sequence[float]] = field(default_factory=dict)
    prefix: str = ""
    suffix: str = ""
    negative: str = ""
    standard: bool = True
    source: str = ""

    def matches(self, model: str, task: str) -> bool:
        """Whether it is for this model and task."""
        patterns = (one.strip().lower() for one in self.models.split(","))
        return self.task in ("", task) and any(one and fnmatchcase(model.lower(), one) for one in patterns)

    @property
    def narrow(self) -> int:
        """How much of a model's name its patterns spell out: the most exact one goes first."""
        return max((len(one.replace("*", "")) for one in self.models.split(",")), default=0) + bool(self.task)


@cache
def own_presets() -> tuple[Preset, ...]:
    """Those that come with Botyard."""
    return tuple(Preset(**one) for one in tomllib.loads(FILE.read_text(encoding="utf-8"))["preset"])


def preset_of(row: Any) -> Preset:
    """A row as a value."""
    return Preset(
        row.id, row.name, row.models, row.task, row.values, row.limits, row.prefix, row.suffix, row.negative,
        row.standard,
    )  # fmt: skip


class Presets:
    """The presets of this installation, as its rows are at each call."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Preset]:
        """Rows first, then those of ours that no row replaces."""
        async with self._database.reading() as conn:
            rows = [preset_of(row) for row in await all_of(conn, PresetRow)]
        taken = {one.id for one in rows}
        return [*rows, *(one for one in own_presets() if one.id not in taken)]

    async def preparing(self, wish: Named) -> Preparing:
        """What fills in the requests of one wish. Raises BadMediaRequest for a preset that does not exist."""
        presets = await self.all()
        if wish.preset and wish.preset not in {one.id for one in presets}:
            raise BadMediaRequest("preset", "unknown", ", ".join(one.id for one in presets))

        def prepare(model: str, request: MediaRequest, card: Card | None = None) -> MediaRequest:
            return apply(chosen(presets, model, request.task, wish.preset), request, card)

        return prepare


def chosen(presets: Iterable[Preset], model: str, task: str, name: str = "") -> list[Preset]:
    """The presets that hold: the named one, whatever its models; then people's, the most exact first; then
    the most exact of our own."""
    fitting = [one for one in presets if one.id != name and one.standard and one.matches(model, task)]
    fitting.sort(key=lambda one: -one.narrow)
    own = own_presets()
    ours = [one for one in fitting if one in own]
    named = [one for one in presets if name and one.id == name]
    return [*named, *(one for one in fitting if one not in own), *ours[:1]]


def apply(presets: Sequence[Preset], request: MediaRequest, card: Card | None = None) -> MediaRequest:
    """The request with what these presets say where it is silent, the first one first; what it says itself
    has to be within their limits. Raises BadMediaRequest."""
    limits: dict[str, Sequence[float]] = {}
    for preset in presets:
        limits = {**preset.limits, **limits}
    _check(request, limits)
    for preset in presets:
        request = _filled(request, preset, card)
    return request


def _check(request: MediaRequest, limits: Mapping[str, Sequence[float]]) -> None:
    for name, (low, high) in limits.items():
        given = getattr(request, name) if name in FIELDS else request.params.get(name)
        if given is None:
            continue
        if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
            raise BadMediaRequest(name, "kind", "number")
        if not low <= given <= high:
            raise BadMediaRequest(name, "range", f"{low:g}-{high:g}")


def _filled(request: MediaRequest, preset: Preset, card: Card | None) -> MediaRequest:
    fields = {name: value for name, value in preset.values.items() if name in FIELDS}
    if request.width is not None or request.height is not None or (request.inputs and not preset.task):
        fields = {name: value for name, value in fields.items() if name not in SIZES}
    open_ones = {name: value for name, value in fields.items() if getattr(request, name) is None}
    if request.count == 1 and "count" in fields:
        open_ones["count"] = fields["count"]
    known = None if card is None else {option.name for option in card.options}
    params = {
        name: value
        for name, value in preset.values.items()
        if name not in FIELDS and (known is None or name in known)
    }
    return replace(
        request,
        **open_ones,
        prompt=_prompt(request.prompt, preset),
        negative=request.negative or preset.negative,
        params={**params, **{name: value for name, value in request.params.items() if value is not None}},
    )


def _prompt(prompt: str, preset: Preset) -> str:
    """The prompt with the preset's words around it; one that is empty stays so."""
    prefix, suffix = preset.prefix.strip(), preset.suffix.strip()
    if not prompt.strip() or not (prefix or suffix):
        return prompt
    space = "" if suffix.startswith((",", ".", ";", ":")) else " "
    return f"{prefix} {prompt.strip()}{space}{suffix}".strip()
