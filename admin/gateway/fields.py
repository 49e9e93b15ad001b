"""Single fields of a request's body, checked by hand: this is on the way of every request."""

import math
from collections.abc import Mapping
from typing import Any

from admin.gateway.errors import ApiError, wrong

DEEPEST = 64  # levels of what is passed on as it is
KINDS: dict[type, str] = {
    dict: "an object", list: "a list", str: "a string", bool: "true or false",
    int: "an integer", float: "a number", type(None): "null",
}  # fmt: skip


def missing(param: str) -> ApiError:
    """A required field is not there."""
    return ApiError(
        400, f"Missing required parameter: '{param}'.", param=param, code="missing_required_parameter"
    )


def not_a(param: str, wanted: type, given: Any) -> ApiError:
    """A field of another type."""
    text = f"'{param}' must be {KINDS[wanted]}, not {KINDS.get(type(given), 'something else')}."
    return ApiError(400, text, param=param, code="invalid_type")


def text_of(body: Mapping[str, Any], name: str) -> str:
    """A required string."""
    value = body.get(name)
    if value is None:
        raise missing(name)
    if not isinstance(value, str):
        raise not_a(name, str, value)
    return value


def flag(body: Mapping[str, Any], name: str) -> bool:
    """An optional boolean."""
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return bool(value)
    raise not_a(name, bool, value)


def number(body: Mapping[str, Any], name: str, low: float, high: float) -> float | None:
    """An optional number within bounds."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise not_a(name, float, value)
    if not low <= value <= high or not math.isfinite(value):
        raise wrong(name, f"must be between {low:g} and {high:g}.")
    return value


def integer(body: Mapping[str, Any], name: str, low: int, high: int) -> int | None:
    """An optional integer within bounds."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise not_a(name, int, value)
    if not low <= value <= high:
        raise wrong(name, f"must be between {low} and {high}.")
    return value


def mapping(param: str, value: Any) -> dict[str, Any]:
    """An object."""
    if not isinstance(value, dict):
        raise not_a(param, dict, value)
    return value


def items(param: str, value: Any) -> list[Any]:
    """A list."""
    if not isinstance(value, list):
        raise not_a(param, list, value)
    return value


def passed_on(param: str, value: Any) -> Any:
    """A value that goes to the vendor as it is; refused when it nests too deep to be written again."""
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return value
    raise wrong(param, "nests too deep.")
