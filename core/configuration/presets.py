"""Presets, as people edit them."""

from dataclasses import dataclass
from typing import Any

from core.configuration.changes import PANEL, Changes, changeable, found, refuse
from core.configuration.errors import Conflict, Problem
from core.configuration.preset_configs import NewPreset, PresetInput
from core.configuration.views import managed_of
from core.media.presets import own_presets
from db import media
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


class PresetRows:
    """The presets; ids are slugs."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def all(self) -> list[PresetView]:
        """Those that people made, oldest first, then our own that none of them replaces."""
        async with self._changes.database.reading() as conn:
            made = [_view(row) for row in await media.all_of(conn, Row)]
        taken = {one.id for one in made}
        return [*made, *(one for one in _own() if one.id not in taken)]

    async def get(self, preset_id: str) -> PresetView:
        """One, also of our own; raises NotFound."""
        async with self._changes.database.reading() as conn:
            row = await media.get_one(conn, Row, preset_id)
        own = next((one for one in _own() if one.id == preset_id), None)
        return _view(row) if row is not None else found(own, "preset", preset_id)

    async def create(self, actor: str, new: NewPreset) -> PresetView:
        """Make one. Raises Invalid or Conflict."""
        refuse(_problems(new))
        async with self._changes.begin(actor) as change:
            if await media.get_one(change.conn, Row, new.id):
                raise Conflict("taken", what="preset", id=new.id)
            await media.save_one(change.conn, Row, new.id, **_columns(new.id, new), managed=PANEL)
            await change.audit("preset.create", new.id)
        return await self.get(new.id)

    async def change(self, actor: str, preset_id: str, config: PresetInput) -> PresetView:
        """Replace its settings. Raises NotFound, Invalid or ManagedByFile; our own are not changed."""
        refuse(_problems(config))
        async with self._changes.begin(actor) as change:
            changeable(await media.get_one(change.conn, Row, preset_id), "preset", preset_id)
            await media.save_one(change.conn, Row, preset_id, **_columns(preset_id, config), managed=PANEL)
            await change.audit("preset.change", preset_id)
        return await self.get(preset_id)

    async def delete(self, actor: str, preset_id: str) -> None:
        """Delete it; one of our own that it replaced holds again. Raises NotFound or ManagedByFile."""
        async with self._changes.begin(actor) as change:
            changeable(await media.get_one(change.conn, Row, preset_id), "preset", preset_id)
            await media.delete_one(change.conn, Row, preset_id)
            await change.audit("preset.delete", preset_id)


def _problems(config: PresetInput) -> list[Problem]:
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


def _columns(preset_id: str, config: PresetInput) -> dict[str, Any]:
    values = {name: int(value) if name in WHOLE else value for name, value in config.values.items()}
    return {**config.model_dump(exclude={"id"}), "name": config.name or preset_id, "values": values}


def _own() -> list[PresetView]:
    return [
        PresetView(
            one.id, one.name, one.models, one.task, dict(one.values),
            {name: list(span) for name, span in one.limits.items()}, one.prefix, one.suffix, one.negative,
            one.standard, True, one.source, "", 0.0, 0.0,
        )
        for one in own_presets()
    ]  # fmt: skip


def _view(row: Any) -> PresetView:
    return PresetView(
        row.id, row.name, row.models, row.task, row.values, row.limits, row.prefix, row.suffix, row.negative,
        row.standard, False, "", managed_of(row), row.created_at, row.updated_at,
    )  # fmt: skip
