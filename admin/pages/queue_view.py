"""Jobs as the queue and their own page show them."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from admin.i18n import N_, Language
from admin.pages.gallery_view import NAMES, SOURCES, TASKS, Tile, shown_value, tile
from admin.trial_events import outcome_words
from core.jobs.answering import failed_text
from core.jobs.board import progress_line
from core.jobs.order import Source, Wish
from db import artifacts, job_previews, jobs
from db.channels import all_channels

STATUSES = {
    "waiting": (N_("waiting"), ""), "running": (N_("being made"), "warn"), "done": (N_("done"), "ok"),
    "failed": (N_("failed"), "bad"), "cancelled": (N_("cancelled"), ""),
}  # fmt: skip
ROLES = {
    "image": N_("Picture"), "mask": N_("Mask"), "last_frame": N_("Last picture of the video"),
    "reference": N_("Reference"), "person": N_("Person"), "garment": N_("Garment"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tried:
    """A candidate that was asked and did not make it."""

    name: str
    words: str
    error: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """One job as a row of the queue; `made` is what it made, `ahead` how many wait before it,
    `preview` the address of its newest small picture while it runs."""

    id: str
    prompt: str
    video: bool
    task: str
    status: str
    words: str
    tone: str
    told: str
    fraction: float | None
    model: str
    source: str
    instance: str
    at: float
    seconds: float | None
    cost: float | None
    made: tuple[Tile, ...]
    ahead: int | None
    tried: tuple[Tried, ...]
    preview: str

    @property
    def ended(self) -> bool:
        """Whether nothing about it changes any more by itself."""
        return self.status in jobs.ENDED


@dataclass(frozen=True, slots=True)
class Input:
    """A picture that a job works on; `tile` is None for one that a person sent into a chat."""

    role: str
    tile: Tile | None


async def lines_of(conn: AsyncConnection, rows: list[Any], t: Language) -> list[Line]:
    """Jobs as rows."""
    names = {one.id: one.name or one.slug for one in await all_channels(conn)}
    return [await _line(conn, row, names, t) for row in rows]


async def inputs_of(conn: AsyncConnection, row: Any, t: Language) -> list[Input]:
    """What a job works on."""
    return [await _input(conn, source, t) for source in Wish.from_json(row.request).inputs]


def settings_of(row: Any, t: Language) -> list[tuple[str, str]]:
    """What was asked for beside the prompt, as names and values."""
    wish = Wish.from_json(row.request)
    named: dict[str, Any] = {
        t("Size"): f"{wish.width} × {wish.height}" if wish.width and wish.height else None,
        t("Length"): t("%(count)s s", count=t.number(wish.seconds, 1)) if wish.seconds else None,
        t("Count"): wish.count if wish.count > 1 else None,
        t("Negative prompt"): wish.negative or None,
        t("Preset"): wish.preset or None,
    }
    further = {"seed": wish.seed, "strength": wish.strength, **wish.params}
    named |= {t(NAMES.get(name, name)): value for name, value in further.items()}
    return [(name, shown_value(value)) for name, value in named.items() if value is not None]


async def _input(conn: AsyncConnection, source: Source, t: Language) -> Input:
    row = await artifacts.get_artifact(conn, source.artifact) if source.artifact else None
    return Input(t(ROLES.get(source.role, source.role)), tile(row) if row is not None else None)


async def _line(conn: AsyncConnection, row: Any, names: dict[str, str], t: Language) -> Line:
    made = await artifacts.artifacts_of(conn, row.id) if row.status == jobs.DONE else []
    waits = row.status == jobs.WAITING
    ahead = await jobs.before(conn, row) if waits else row.position
    words, tone = STATUSES[row.status]
    seconds = row.finished_at - row.started_at if row.finished_at and row.started_at else None
    return Line(
        row.id, row.request.get("prompt", ""), row.task.endswith("_video"), t(TASKS.get(row.task, row.task)),
        row.status, t(words), tone, _told(row, ahead, t), row.fraction,
        f"{row.provider_id}:{row.model}" if row.provider_id else "", t(SOURCES.get(row.source, row.source)),
        names.get(row.channel_id or "", ""), row.created_at, seconds, row.cost, tuple(map(tile, made)),
        ahead if waits else None, tuple(_tried(one, t) for one in row.tried), await _preview(conn, row),
    )  # fmt: skip


async def _preview(conn: AsyncConnection, row: Any) -> str:
    seen = await job_previews.get_preview(conn, row.id) if row.status == jobs.RUNNING else None
    return f"/queue/{row.id}/preview?{seen.made_at:.2f}" if seen is not None else ""


def _told(row: Any, ahead: int | None, t: Language) -> str:
    read = _Read(row, t.code)
    if row.status in (jobs.WAITING, jobs.RUNNING):
        return progress_line(read, ahead).replace("▰", "").replace("▱", "").strip()
    return failed_text(read, row.status, row.reason) if row.status == jobs.FAILED else ""


def _tried(one: dict[str, Any], t: Language) -> Tried:
    name = f"{one['provider_id']}:{one['model']}"
    return Tried(name, outcome_words(one["error_class"], t), one["error"], one.get("seconds"))


class _Read:
    """A job's row in the reader's language."""

    def __init__(self, row: Any, language: str) -> None:
        self._row = row
        self.language = language

    def __getattr__(self, name: str) -> Any:
        return getattr(self._row, name)
