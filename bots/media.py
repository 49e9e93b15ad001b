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


def kind_of(media: Media) -> str:
    """photo, video or document: a photo that Telegram would refuse goes as a document."""
    width, height = media.width, media.height
    if media.mime == "video/mp4":
        return "video"
    shape = width + height <= MOST_SIDES and max(width, height) <= MOST_RATIO * max(min(width, height), 1)
    return "photo" if media.mime in PHOTOS and media.size <= LARGEST_PHOTO and shape else "document"


@dataclass(frozen=True, slots=True)
class Sending:
    """One file as it goes out: as a photo, video or document, by an upload or by the id that Telegram gave
    an earlier one."""

    media: Media
    kind: str
    file: Upload | str

    @property
    def uploads(self) -> list[Upload]:
        """What goes along with the call."""
        return [self.file] if isinstance(self.file, Upload) else []

    def input_media(self, caption: str) -> dict[str, Any]:
        """As an InputMedia."""
        return {"type": self.kind, "media": self._named, **self._around(caption)}

    def single(self, caption: str) -> tuple[str, dict[str, Any]]:
        """The method that sends it alone, and its parameters."""
        return METHODS[self.kind], {self.kind: self._named, **self._around(caption)}

    @property
    def _named(self) -> str:
        return f"attach://{self.file.name}" if isinstance(self.file, Upload) else self.file

    def _around(self, caption: str) -> dict[str, Any]:
        said = {"caption": short(caption)} if caption else {}
        return {**(_facts(self.media) if self.kind == "video" else {}), **said}


def file_id(message: Any, kind: str) -> str:
    """The id under which Telegram keeps the file of a message; "" when it took it for something else."""
    found = message.get(kind) if isinstance(message, dict) else None
    largest = found[-1] if isinstance(found, list) and found else found
    known = largest.get("file_id") if isinstance(largest, dict) else None
    return known if isinstance(known, str) else ""


def albums(media: Sequence[Media]) -> list[Sequence[Media]]:
    """The files in groups of at most ten."""
    return [media[at : at + MOST_IN_ALBUM] for at in range(0, len(media), MOST_IN_ALBUM)]


def kinds_in_album(media: Sequence[Media]) -> list[str]:
    """What each goes as: documents are in no album with anything else."""
    kinds = [kind_of(one) for one in media]
    return ["document"] * len(kinds) if "document" in kinds else kinds


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


def _facts(media: Media) -> dict[str, Any]:
    facts: dict[str, Any] = {"supports_streaming": True}
    if media.width and media.height:
        facts |= {"width": media.width, "height": media.height}
    return {**facts, "duration": round(media.seconds)} if media.seconds else facts
