"""Generation settings in forms: routes, characters and conversations have the same fields."""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import FormData

from admin.pages.changes import Values, texts_of
from core.sampling import FIELDS, NUMBERS


def read_sampling(form: FormData) -> Values:
    """The fields that were filled in; a decimal comma is as good as a point."""
    numbers = {name: text.replace(",", ".") for name, text in texts_of(form, *NUMBERS).items()}
    return {**numbers, **texts_of(form, "length")}


def fill_sampling(settings: Mapping[str, Any]) -> Values:
    """Settings as the form shows them."""
    return {name: _shown(settings.get(name)) for name in FIELDS}


def _shown(value: Any) -> Any:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else value
