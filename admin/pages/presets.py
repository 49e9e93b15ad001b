"""Presets: what models are asked with where a caller leaves it open."""

import json
import re
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from admin.i18n import N_, language_of
from admin.pages.changes import Values, configuration_of, text_of, texts_of
from admin.pages.crud import Crud, add_forms, row_of
from admin.pages.gallery_view import NAMES, TASKS, shown_value
from admin.pages.page import show
from admin.sign_in import SignedIn
from core.configuration.preset_configs import NewPreset, PresetInput
from core.configuration.presets import PresetView

router = APIRouter()
COMMON = ("steps", "guidance", "width", "height", "seconds", "strength", "count")
LABELS = {
    **NAMES, "width": N_("Width"), "height": N_("Height"), "seconds": N_("Seconds of a video"),
    "count": N_("How many at once"),
}  # fmt: skip
WORDS = ("prefix", "suffix", "negative")
MOST_LINES = 40
SPAN = re.compile(r"\[\s*(-?[\d.]+)\s*,\s*(-?[\d.]+)\s*\]$")


def _number(text: str) -> Any:
    """A number where it looks like one; what does not is left for the check to refuse."""
    try:
        return json.loads(text.replace(",", ".")) if text else None
    except ValueError:
        return text


def _read(form: FormData) -> Values:
    values: Values = {}
    limits: Values = {}
    for name in COMMON:
        given = text_of(form, f"values.{name}")
        low, high = text_of(form, f"low.{name}"), text_of(form, f"high.{name}")
        if given:
            values[name] = _number(given)
        if low or high:
            limits[name] = [_number(low), _number(high)]
    further, bounds = _lines(text_of(form, "more"))
    words = {name: text_of(form, name).replace("\r\n", "\n") for name in WORDS}
    return {
        **texts_of(form, "name", "task"), **words, "models": text_of(form, "models"),
        "values": values | further, "limits": limits | bounds, "standard": form.get("standard") == "on",
    }  # fmt: skip


def _lines(text: str) -> tuple[Values, Values]:
    """Further parameters and their limits, one a line: shift = 3 [1, 10]. A line that is none is left for the
    check to refuse."""
    values: Values = {}
    limits: Values = {}
    for line in filter(str.strip, text.splitlines()[:MOST_LINES]):
        name, equals, value = (part.strip() for part in line.partition("="))
        if found := SPAN.search(value):
            limits[name] = [_number(found[1]), _number(found[2])]
            value = value[: found.start()].strip()
        if not found or value:
            values[name if equals and value else f"{name} = ?"] = _number(value) if value else ""
    return values, limits


def _written(row: PresetView) -> str:
    """Further parameters as such lines."""
    names = [name for name in dict.fromkeys([*row.values, *row.limits]) if name not in COMMON]
    lines = []
    for name in names:
        value = json.dumps(row.values[name], ensure_ascii=False) if name in row.values else ""
        span = "[{:g}, {:g}]".format(*row.limits[name]) if name in row.limits else ""
        lines.append(f"{name} = {value} {span}".strip().replace("  ", " "))
    return "\n".join(lines)


def _fill(row: PresetView) -> Values:
    shown: Values = {name: getattr(row, name) for name in ("name", "models", "task", *WORDS)}
    shown["standard"] = "on" if row.standard else ""
    for name in COMMON:
        shown[f"values.{name}"] = row.values.get(name)
        low, high = row.limits.get(name, (None, None))
        shown[f"low.{name}"], shown[f"high.{name}"] = low, high
    shown["more"] = _written(row)
    return shown


async def _context(request: Request) -> Values:
    t = language_of(request)
    return {
        "common": [(name, t(LABELS[name])) for name in COMMON],
        "tasks": [("", t("Every task")), *((name, t(words)) for name, words in TASKS.items())],
    }


PRESETS = Crud("presets", "preset.html", lambda c: c.presets, NewPreset, PresetInput, _read, _fill, _context)


@router.get("/presets")
async def presets(request: Request, _: SignedIn) -> Response:
    """All presets, people's own first."""
    t = language_of(request)
    rows = await configuration_of(request).presets.all()
    return await show(
        request, "presets.html", "presets", rows=rows, told={row.id: _told(row) for row in rows},
        tasks={name: t(words) for name, words in TASKS.items()},
    )  # fmt: skip


@router.get("/presets/new")
async def new_preset(request: Request, _: SignedIn, copy: str = "") -> Response:
    """The form of a new preset; `copy` fills it with another one's."""
    values: Values = {"models": "", "standard": "on"}
    if copy:
        row = await row_of(request, PRESETS, copy[:32])
        name = row.name if row.own else language_of(request)("%(name)s, copy", name=row.name)
        values = {**_fill(replace(row, name=name)), "id": row.id if row.own else ""}
    context = await _context(request)
    return await show(request, "preset.html", "presets", values=values, errors={}, row=None, **context)


add_forms(router, PRESETS)


def _told(row: PresetView) -> str:
    """The parameters in a line."""
    sized = {"width", "height"} <= row.values.keys()
    sizes = [f"{row.values['width']} × {row.values['height']}"] if sized else []
    rest = [
        f"{name} {shown_value(value)}"
        for name, value in row.values.items()
        if name not in ("width", "height")
    ]
    return ", ".join([*sizes, *rest])
