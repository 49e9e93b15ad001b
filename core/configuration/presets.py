"""Presets, as people edit them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.configuration.changes import found
from core.configuration.errors import Problem
from core.configuration.preset_configs import NewPreset, PresetInput
from core.configuration.slugged import Slugged
from core.configuration.views import managed_of
from core.media.presets import own_presets
from db import slugs
from db.media import Preset as Row

WHOLE = ("width", "height", "count", "steps", "seed")
RANGES = {
    "width": (16, 8192), "height": (16, 8192), "count": (1, 10), "steps": (1, 1000), "strength": (0, 1),
    "seconds": (0.1, 600), "seed": (0, 2**63 - 1),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PresetView:
    """A preset. One that comes with Botyard is `own`: it can be copied, and a preset of the same id takes its
    place. `source` is where its parameters are recommended."""

    id: str
    name: str
    models: str
    task: str
    values: dict[str, Any]
    limits: dict[str, list[float]]
    prefix: str
    suffix: str
    negative: str
    standard: bool
    own: bool
    source: str
    managed: str
    created_at: float
    updated_at: float


def preset_problems(config: PresetInput) -> list[Problem]:
    """Values that no request may have, and values beyond the preset's own limits."""
    problems = [problem for name in config.values if (problem := _value_problem(config, name))]
    for name, (low, high) in config.limits.items():
        least, most = RANGES.get(name, (low, high))
        if low < least or high > most:
            problems.append(Problem(f"limits.{name}", "preset_outside", {"low": least, "high": most}))
    return problems


def _value_problem(config: PresetInput, name: str) -> Problem | None:
    value, place = config.values[name], f"values.{name}"
    if name not in RANGES and name not in config.limits:
        return None
    if isinstance(value, bool | str) or (name in WHOLE and value != int(value)):
        return Problem(place, "number")
    for low, high in filter(None, (RANGES.get(name), config.limits.get(name))):
        if not low <= value <= high:
            return Problem(place, "preset_outside", {"low": f"{low:g}", "high": f"{high:g}"})
    return None


def preset_values(preset_id: str, config: PresetInput) -> dict[str, Any]:
    """A preset's columns."""
    values = {name: int(value) if name in WHOLE else value for name, value in config.values.items()}
    return {**config.model_dump(exclude={"id"}), "name": config.name or preset_id, "values": values}


class PresetRows(Slugged[PresetView, NewPreset, PresetInput]):
    """The presets; ids are slugs. Our own hold until one that people made has the same id."""

    kind, what, audited = Row, "preset", "preset"

    async def all(self) -> list[PresetView]:
        """Those that people made, oldest first, then our own that none of them replaces."""
        made = await super().all()
        taken = {one.id for one in made}
        return [*made, *(one for one in _own() if one.id not in taken)]

    async def get(self, row_id: str) -> PresetView:
        """One, also of our own; raises NotFound."""
        own = next((one for one in _own() if one.id == row_id), None)
        async with self._changes.database.reading() as conn:
            row = await slugs.get_one(conn, Row, row_id)
        return self._view(row) if row is not None else found(own, self.what, row_id)

    async def _problems(self, conn: AsyncConnection, config: PresetInput) -> list[Problem]:
        return preset_problems(config)

    def _columns(self, row_id: str, config: PresetInput) -> dict[str, Any]:
        return preset_values(row_id, config)

    def _view(self, row: Any) -> PresetView:
        return PresetView(
            row.id, row.name, row.models, row.task, row.values, row.limits, row.prefix, row.suffix,
            row.negative, row.standard, False, "", managed_of(row), row.created_at, row.updated_at,
        )  # fmt: skip


def _own() -> list[PresetView]:
    return [
        PresetView(
            one.id, one.name, one.models, one.task, dict(one.values),
            {name: list(span) for name, span in one.limits.items()}, one.prefix, one.suffix, one.negative,
            one.standard, True, one.source, "", 0.0, 0.0,
        )
        for one in own_presets()
    ]  # fmt: skip
