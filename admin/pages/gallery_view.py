"""Artifacts as the gallery shows them."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from admin.i18n import N_, Language
from admin.sizes import size_text
from core.media.signed import file_name

TASKS = {
    "text_to_image": N_("Picture from words"), "image_to_image": N_("Picture from a picture"),
    "inpaint": N_("Part of a picture"), "upscale": N_("Larger picture"), "try_on": N_("Try-on"),
    "text_to_video": N_("Video from words"), "image_to_video": N_("Video from a picture"),
}  # fmt: skip
SOURCES = {
    "chat": N_("a chat"), "tool": N_("a model in a chat"), "api": N_("the API"), "mcp": N_("MCP"),
    "panel": N_("the panel"),
}  # fmt: skip
NAMES = {
    "negative": N_("Negative prompt"), "steps": N_("Steps"), "guidance": N_("Guidance"), "seed": N_("Seed"),
    "strength": N_("Strength"), "count": N_("Count"), "preset": N_("Preset"), "lora": N_("LoRA"),
    "revised_prompt": N_("Prompt as the model changed it"),
}  # fmt: skip
APART = ("rating", "width", "height", "seconds", "count")


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture or video in a grid."""

    id: str
    alt: str
    url: str
    video: bool
    length: str
    adult: bool
    model: str
    created_at: float
    width: int
    height: int
    pictured: bool


def tile(row: Any) -> Tile:
    """A row as a tile."""
    video, model = row.mime.startswith("video/"), row.model.partition(":")[2] or row.model
    return Tile(
        row.id, " ".join(row.prompt.split())[:300], f"/media/{row.id}/{quote(file_name(row))}", video,
        _length(row.seconds) if video else "", row.rating == "adult", model,
        row.created_at, row.width or 1, row.height or 1, bool(row.poster) if video else True,
    )  # fmt: skip


def details(row: Any, t: Language) -> list[tuple[str, str]]:
    """What is known of an artifact beside its prompt, as names and values."""
    found = [(t("Kind"), t(TASKS.get(row.task, "")) or row.task or row.mime)]
    if row.model:
        found.append((t("Model"), row.model))
    found.append((t("Size"), f"{row.width} × {row.height}"))
    if row.seconds:
        found.append((t("Length"), _length(row.seconds)))
    found += [
        (t(NAMES.get(name, name)), shown_value(value))
        for name, value in row.settings.items()
        if name not in APART
    ]
    found += [
        (t("File"), f"{row.mime.partition('/')[2].upper()}, {size_text(row.size, t)}"),
        (t("Asked for in"), t(SOURCES.get(row.source, row.source)) or "—"),
        ("SHA-256", row.digest),
    ]
    return found


def _length(seconds: float | None) -> str:
    whole = round(seconds or 0)
    return f"{whole // 60}:{whole % 60:02d}"


def shown_value(value: Any) -> str:
    """A parameter's value for people."""
    return f"{value:g}" if isinstance(value, float) else str(value)
