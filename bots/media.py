"""Pictures and videos on their way to Telegram: which method takes them, and what it needs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bots.characters import whole
from core.messages import Media

CAPTION = 1024  # UTF-16 units
LARGEST_PHOTO = 10 * 1024 * 1024  # https://core.telegram.org/bots/api#sendphoto
LARGEST_FILE = 50 * 1024 * 1024  # https://core.telegram.org/bots/api#sending-files
MOST_SIDES, MOST_RATIO = 10_000, 20
MOST_IN_ALBUM = 10
PHOTOS = ("image/png", "image/jpeg", "image/webp")
METHODS = {"photo": "sendPhoto", "video": "sendVideo", "document": "sendDocument"}
SUFFIXES = {
    "image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif", "video/mp4": "mp4",
    "video/webm": "webm",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Upload:
    """A file in a call: its name there, its bytes and type."""

    name: str
    body: bytes = field(repr=False)
    mime: str

    @property
    def filename(self) -> str:
        """What people see who save it."""
        return f"{self.name}.{SUFFIXES.get(self.mime, 'bin')}"


def kind_of(media: Media, size: int) -> str:
    """photo, video or document: a photo that Telegram would refuse goes as a document."""
    width, height = media.width, media.height
    if media.mime == "video/mp4":
        return "video"
    shape = width + height <= MOST_SIDES and max(width, height) <= MOST_RATIO * max(min(width, height), 1)
    return "photo" if media.mime in PHOTOS and size <= LARGEST_PHOTO and shape else "document"


def input_media(media: Media, upload: Upload, caption: str) -> dict[str, Any]:
    """An InputMedia that refers to an upload of the same call."""
    kind = kind_of(media, len(upload.body))
    found: dict[str, Any] = {"type": kind, "media": f"attach://{upload.name}", **_facts(media, kind)}
    return {**found, "caption": short(caption)} if caption else found


def single(media: Media, upload: Upload, caption: str) -> tuple[str, dict[str, Any]]:
    """The method that sends one file alone, and its parameters."""
    kind = kind_of(media, len(upload.body))
    params: dict[str, Any] = {kind: f"attach://{upload.name}", **_facts(media, kind)}
    return METHODS[kind], {**params, "caption": short(caption)} if caption else params


def albums(media: Sequence[Media]) -> list[Sequence[Media]]:
    """The files in groups of at most ten."""
    return [media[at : at + MOST_IN_ALBUM] for at in range(0, len(media), MOST_IN_ALBUM)]


def short(caption: str) -> str:
    """A caption that fits."""
    units = caption.encode("utf-16-le", "replace")
    if len(units) <= CAPTION * 2:
        return caption
    return whole(units[: (CAPTION - 1) * 2].decode("utf-16-le", "ignore")) + "…"


def form_fields(params: dict[str, Any]) -> dict[str, str]:
    """Parameters as fields of a form: what is no text is JSON."""
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in params.items()
        if value is not None
    }


def _facts(media: Media, kind: str) -> dict[str, Any]:
    if kind != "video":
        return {}
    facts: dict[str, Any] = {"supports_streaming": True}
    if media.width and media.height:
        facts |= {"width": media.width, "height": media.height}
    return {**facts, "duration": round(media.seconds)} if media.seconds else facts
