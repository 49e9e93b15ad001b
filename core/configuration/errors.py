"""What can be wrong with a change of the configuration; texts are in configuration_texts.py."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import ErrorDetails, PydanticCustomError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: where (`token`, `origins[0]`), which text, and its values.

    The values never hold a secret: they are shown to people and logged.
    """

    place: str
    key: str
    values: dict[str, Any] = field(default_factory=dict)


class ConfigurationError(Exception):
    """A change that was refused; nothing was changed."""

    def __init__(self, key: str, **values: Any) -> None:
        super().__init__(f"{key} {values}" if values else key)
        self.key = key
        self.values = values


class NotFound(ConfigurationError):
    """There is no such row."""

    def __init__(self, what: str, row_id: str) -> None:
        super().__init__("not_found", what=what, id=row_id)


class Conflict(ConfigurationError):
    """The change does not fit what is there: a name that is taken, a row that is in use."""


class ManagedByFile(ConfigurationError):
    """The row is managed by the fleet file and changed there."""

    def __init__(self, what: str, row_id: str) -> None:
        super().__init__("managed_by_file", what=what, id=row_id)


class Invalid(ConfigurationError):
    """The values do not make sense; `problems` says where and why."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("invalid", count=len(problems))
        self.problems = tuple(problems)


def wrong(key: str, **values: Any) -> PydanticCustomError:
    """An error for a pydantic validator to raise; `key` is one of configuration_texts.py."""
    return PydanticCustomError(f"botyard_{key}", "{key}", {"key": key, **values})


KEYS = {
    "missing": "missing",
    "string_too_long": "too_long",
    "string_too_short": "empty",
    "too_short": "empty",
    "too_long": "too_many",
    "greater_than_equal": "too_small",
    "greater_than": "too_small",
    "less_than_equal": "too_big",
    "less_than": "too_big",
    "literal_error": "choice",
    "enum": "choice",
    "string_unicode": "bad_characters",
    "finite_number": "number",
}
TYPES = {"string": "text", "bool": "boolean", "int": "number", "float": "number", "list": "list"}
LIMITS = ("max_length", "min_length", "ge", "gt", "le", "lt")


def problems_of(
    errors: Sequence[ErrorDetails | dict[str, Any]], skip: int = 0, known: Iterable[str] = ()
) -> list[Problem]:
    """Pydantic's errors as problems, without the values that people typed (they may be secrets).

    The first `skip` parts of a place are left out; `known` are the names that a mistyped one may mean.
    """
    return [_problem(error, skip, known) for error in errors]


def nearest(given: str, known: Iterable[str]) -> str:
    """The known name that is most like a mistyped one, or ""."""
    found = difflib.get_close_matches(given, list(known), n=1, cutoff=0.6)
    return found[0] if found else ""


def place_of(location: Sequence[str | int]) -> str:
    """A place as people write it: `keys[0]`, `bots[2].token`."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(parts).removeprefix(".")


def _problem(error: Any, skip: int, known: Iterable[str]) -> Problem:
    kind, context = str(error["type"]), dict(error.get("ctx") or {})
    place = place_of(error["loc"][skip:])
    if kind.startswith("botyard_"):
        return Problem(place, str(context.pop("key")), context)
    if kind == "extra_forbidden":
        return Problem(place, "unknown_field", {"near": nearest(place, known)})
    if kind in KEYS:
        values: dict[str, Any] = {}
        for name in LIMITS:
            if name in context:
                values["limit"] = context[name]
        if "expected" in context:
            values["choices"] = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        return Problem(place, KEYS[kind], values)
    kind_of = TYPES.get(kind.split("_")[0])
    return Problem(place, kind_of or "wrong")
