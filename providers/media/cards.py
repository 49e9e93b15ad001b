"""Cards: what a media model can do and which options it takes, as data.

From a card alone come the check of a request, the fields of a form and what a chat command understands.
Vendors' cards are in catalog.toml; an engine host sends those of its models.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

from providers.media.types import MediaRequest, Task

CATALOG = Path(__file__).with_name("catalog.toml")
LONGEST_SIDE = 8192  # pixels; beyond it a request is a mistake, whatever the model


class BadMediaRequest(ValueError):
    """A request that the model cannot take. `field` names what is wrong; `reason` is task, empty, long,
    range, choice, unknown, many, input or kind; `allowed` says what would do."""

    def __init__(self, field: str, reason: str, allowed: str = "") -> None:
        super().__init__(f"{field}: {reason}" + (f" ({allowed})" if allowed else ""))
        self.field = field
        self.reason = reason
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Option:
    """A further parameter. `kind` is int, float, bool, choice or text; `low` and `high` bound numbers and the
    length of texts."""

    name: str
    kind: str
    default: Any = None
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    label: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One media model. `sizes` are the only (width, height) pairs it makes; without them every size from
    `low_side` to `high_side` in steps of `multiple` will do. `seconds` are the lengths of its videos.
    `price` is in US dollars per image, or per second of video; None is unknown. `negative`, `seeds` and
    `strength` tell whether those are taken; `quality` is 0 to 100, our own judgement. `defaults` are options
    that a request has unless it says otherwise."""

    name: str
    label: str
    tasks: tuple[Task, ...]
    quality: int = 0
    sizes: tuple[tuple[int, int], ...] = ()
    low_side: int = 64
    high_side: int = 2048
    multiple: int = 1
    count: int = 1
    seconds: tuple[float, ...] = ()
    prompt_limit: int = 4000
    inputs: int = 1
    negative: bool = False
    seeds: bool = False
    strength: bool = False
    price: float | None = None
    options: tuple[Option, ...] = ()
    defaults: Mapping[str, Any] | None = None
    notes: str = ""
    memory: int | None = None  # bytes at its peak, where it runs on a GPU of one's own


NEEDS = {
    Task.IMAGE_TO_IMAGE: ("image",), Task.INPAINT: ("image", "mask"), Task.UPSCALE: ("image",),
    Task.TRY_ON: ("person", "garment"), Task.IMAGE_TO_VIDEO: ("image",),
}  # fmt: skip


def fit(request: MediaRequest, card: Card) -> MediaRequest:
    """The request as the model takes it: sizes rounded to what it makes, what it does not know left out.
    Raises BadMediaRequest for what it cannot do."""
    if request.task not in card.tasks:
        raise BadMediaRequest("task", "task", ", ".join(card.tasks))
    if not request.prompt.strip() and request.task not in (Task.UPSCALE, Task.TRY_ON):
        raise BadMediaRequest("prompt", "empty")
    for name in ("prompt", "negative"):
        if len(getattr(request, name)) > card.prompt_limit:
            raise BadMediaRequest(name, "long", str(card.prompt_limit))
    if not 1 <= request.count <= card.count:
        raise BadMediaRequest("count", "range", f"1-{card.count}")
    _check_inputs(request, card)
    width, height = _size(request, card)
    return replace(
        request, width=width, height=height, seconds=_seconds(request, card),
        negative=request.negative if card.negative else "",
        seed=request.seed if card.seeds else None,
        strength=_strength(request) if card.strength else None,
        params={**_usual(card), **checked_params(request.params, card)},
    )  # fmt: skip


def _usual(card: Card) -> dict[str, Any]:
    known = {option.name for option in card.options}
    return {name: value for name, value in (card.defaults or {}).items() if name in known}


def checked_params(params: Mapping[str, Any], card: Card) -> dict[str, Any]:
    """Further options, each by its declaration. Raises BadMediaRequest."""
    known = {option.name: option for option in card.options}
    for name in params:
        if name not in known:
            raise BadMediaRequest(name, "unknown", ", ".join(known))
    return {name: _checked(known[name], value) for name, value in params.items() if value is not None}


def _checked(option: Option, value: Any) -> Any:
    wanted: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,)}
    types = wanted.get(option.kind, (str,))
    if not isinstance(value, types) or (isinstance(value, bool) and option.kind != "bool"):
        raise BadMediaRequest(option.name, "kind", option.kind)
    if option.kind == "choice" and value not in option.choices:
        raise BadMediaRequest(option.name, "choice", ", ".join(option.choices))
    amount: Any = len(value) if isinstance(value, str) else value
    low, high = option.low, option.high
    if option.kind in ("int", "float", "text") and not (
        (low is None or amount >= low) and (high is None or amount <= high)
    ):
        raise BadMediaRequest(option.name, "range", f"{low} - {high}")
    return float(amount) if option.kind == "float" else value


def _check_inputs(request: MediaRequest, card: Card) -> None:
    roles = [one.role for one in request.inputs]
    for role in NEEDS.get(request.task, ()):
        if role not in roles:
            raise BadMediaRequest(role, "input")
    if request.task in (Task.IMAGE_TO_IMAGE, Task.IMAGE_TO_VIDEO) and len(roles) > card.inputs:
        raise BadMediaRequest("inputs", "many", str(card.inputs))


def _size(request: MediaRequest, card: Card) -> tuple[int | None, int | None]:
    width, height = request.width, request.height
    if width is None or height is None:
        return None, None
    for name, side in (("width", width), ("height", height)):
        if not 1 <= side <= LONGEST_SIDE:
            raise BadMediaRequest(name, "range", f"{card.low_side}-{card.high_side}")
    if card.sizes:
        return min(card.sizes, key=lambda one: _distance(one, (width, height)))
    for name, side in (("width", width), ("height", height)):
        if not card.low_side <= side <= card.high_side:
            raise BadMediaRequest(name, "range", f"{card.low_side}-{card.high_side}")
    return _rounded(width, card), _rounded(height, card)


def _rounded(side: int, card: Card) -> int:
    return max(card.multiple, round(side / card.multiple) * card.multiple)


def _distance(one: tuple[int, int], other: tuple[int, int]) -> tuple[float, int]:
    """First the shape counts, then the area."""
    return abs(one[0] / one[1] - other[0] / other[1]), abs(one[0] * one[1] - other[0] * other[1])


def _seconds(request: MediaRequest, card: Card) -> float | None:
    if request.seconds is None or request.task.makes != "video":
        return None
    if not 0 < request.seconds <= 600:
        raise BadMediaRequest("seconds", "range", ", ".join(f"{one:g}" for one in card.seconds))
    if not card.seconds:
        return request.seconds
    return min(card.seconds, key=lambda one: abs(one - (request.seconds or 0)))


def _strength(request: MediaRequest) -> float | None:
    if request.strength is not None and not 0 < request.strength <= 1:
        raise BadMediaRequest("strength", "range", "0-1")
    return request.strength


@cache
def vendor_cards() -> dict[str, tuple[Card, ...]]:
    """Every vendor's models by the vendor's kind, in the catalogue's order."""
    if not CATALOG.exists():
        return {}
    entries = tomllib.loads(CATALOG.read_text(encoding="utf-8"))
    return {kind: tuple(card_of(one) for one in models) for kind, models in entries.items()}


def find_card(kind: str, name: str) -> Card | None:
    """A vendor's model by its name."""
    return next((card for card in vendor_cards().get(kind, ()) if card.name == name), None)


def card_of(data: Mapping[str, Any]) -> Card:
    """A card from its JSON or TOML. Raises ValueError or TypeError for what is none."""
    known = {one.name for one in fields(Card)}
    values = {name: value for name, value in data.items() if name in known}
    values["tasks"] = tuple(Task(task) for task in values["tasks"])
    values["sizes"] = tuple((int(width), int(height)) for width, height in values.get("sizes", ()))
    values["seconds"] = tuple(float(one) for one in values.get("seconds", ()))
    values["options"] = tuple(_option(one) for one in values.get("options", ()))
    return Card(**values)


def _option(data: Mapping[str, Any]) -> Option:
    return Option(**{**data, "choices": tuple(str(one) for one in data.get("choices", ()))})
