"""A provider's form: what people type, as values of its configuration, and back."""

from typing import Any

from starlette.datastructures import FormData

from admin.pages.changes import Values, many_of, text_of, texts_of
from core.configuration.provider_configs import MEDIA_NUMBERS, NUMBERS

ABILITIES = ("free", "vision", "tools", "json", "reasoning")
FACTS = ("quality", "context", "price_in", "price_out")
NO = "no-"
LARGEST = "media_largest"  # people type MB
MEGABYTE = 1 << 20


def read(form: FormData) -> Values:
    """Values of the configuration; keys and proxies only where they were typed."""
    values = texts_of(form, "kind", "name", "base_url", "location")
    if keys := many_of(form, "keys"):
        values["keys"] = keys
    if proxies := many_of(form, "proxies"):
        values["proxies"] = proxies
    typed = texts_of(form, *NUMBERS, *MEDIA_NUMBERS)
    numbers = {name: text.replace(",", ".") for name, text in typed.items()}
    if LARGEST in numbers:
        numbers[LARGEST] = _bytes_of(numbers[LARGEST])
    return {
        **values,
        **numbers,
        "headers": dict(_header(line) for line in many_of(form, "headers")),
        "models": [_model(line) for line in many_of(form, "models")],
        "result_hosts": many_of(form, "result_hosts"),
        "enabled": text_of(form, "enabled") == "on",
        "stream": text_of(form, "whole_only") != "on",
        "private": text_of(form, "private") == "on",
        "billed": text_of(form, "billed") == "on",
    }


def fill(row: Any) -> Values:
    """What the form shows of a provider."""
    numbers = {name: _number(getattr(row, name)) for name in (*NUMBERS, *MEDIA_NUMBERS)}
    if row.media_largest is not None:
        numbers[LARGEST] = _number(row.media_largest / MEGABYTE)
    flags = {name: "on" if getattr(row, name) else "" for name in ("enabled", "private", "billed")}
    return {
        "kind": row.kind,
        "name": row.name,
        "base_url": row.base_url or "",
        **numbers,
        **flags,
        "whole_only": "" if row.stream else "on",
        "headers": "\n".join(f"{name}: {value}" for name, value in row.headers.items()),
        "models": "\n".join(map(_line, row.models)),
        "result_hosts": "\n".join(row.result_hosts),
        "location": row.location or "",
    }


def _bytes_of(text: str) -> str:
    """MB as bytes; what is no number stays for the form to say so."""
    try:
        return str(round(float(text) * MEGABYTE))
    except (ValueError, OverflowError):
        return text


def _header(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()


def _model(line: str) -> Values:
    """`name quality=70 context=8192 vision no-tools`: numbers by name, abilities alone."""
    name, *words = line.split()
    values: Values = {"name": name}
    for word in words:
        fact, equals, value = word.partition("=")
        if equals:
            values[fact] = value.replace(",", ".")
        else:
            values[fact.removeprefix(NO)] = not fact.startswith(NO)
    return values


def _line(model: dict[str, Any]) -> str:
    numbers = [f"{name}={_number(model[name])}" for name in FACTS if name in model]
    known = [name if model[name] else NO + name for name in ABILITIES if name in model]
    return " ".join([model["name"], *numbers, *known])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
