"""The one guard for media files that were made or uploaded: what a file is, by its own bytes.

Nothing here decodes: size in pixels and length come from headers, read within bounds, so that a hostile
file can be looked at anywhere.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from core.media.files_mp4 import read_mp4
from core.media.files_webm import EBML, read_webm
from core.pictures import GIF, JPEG, LONGEST_SIDE, MOST_PIXELS, PNG, NotAPicture, read_header

LARGEST_PICTURE = 64 << 20  # bytes
LARGEST_VIDEO = 2 << 30
LONGEST_VIDEO = 3600.0  # seconds
HEAD = 1 << 20  # a picture's size stands in its first bytes, behind its colour profile
TAIL = 64 << 10
SUFFIXES = {
    "image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "image/gif": ".gif",
    "video/mp4": ".mp4", "video/webm": ".webm",
}  # fmt: skip
WANTED = {"image": "an image", "video": "a video"}


class BadFile(ValueError):
    """A file that is not what it claims, is damaged or too large. `reason` is empty, unknown, kind, damaged,
    bytes, pixels or seconds; the text is for people."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Look:
    """What a file is: its type by its own bytes, its size in bytes and pixels, and a video's length."""

    mime: str
    size: int
    width: int
    height: int
    seconds: float | None = None

    @property
    def kind(self) -> str:
        """image or video."""
        return self.mime.partition("/")[0]

    @property
    def suffix(self) -> str:
        """The ending of a file of this type, with its dot."""
        return SUFFIXES[self.mime]


def look(path: Path, kind: str = "") -> Look:
    """What the file is; `kind` is image or video where only that will do. Raises BadFile."""
    size = path.stat().st_size
    if not size:
        raise BadFile("empty", "The file is empty.")
    with path.open("rb") as file:
        seen = _read(file, size)
    if kind and seen.kind != kind:
        raise BadFile("kind", f"The file is a {_word(seen.mime)}, not {WANTED[kind]}.")
    return _within_limits(seen)


def _read(file: BinaryIO, size: int) -> Look:
    head = file.read(HEAD)
    if head[4:8] == b"ftyp":
        video, mime = read_mp4(file, size), "video/mp4"
    elif head.startswith(EBML):
        video, mime = read_webm(file, size), "video/webm"
    else:
        return _picture(file, head, size)
    if video is None or not video.width or not video.height:
        raise BadFile("damaged", f"The {_word(mime)} is damaged: it has no readable picture track.")
    return Look(mime, size, video.width, video.height, video.seconds)


def _picture(file: BinaryIO, head: bytes, size: int) -> Look:
    if size > LARGEST_PICTURE:
        raise BadFile("bytes", f"The file has {size >> 20} MB, at most {LARGEST_PICTURE >> 20} MB.")
    if not head.startswith((PNG, JPEG, *GIF)) and head[:4] + head[8:12] != b"RIFFWEBP":
        raise BadFile("unknown", "The file is no PNG, JPEG, WebP, GIF, MP4 or WebM.")
    try:
        mime, (width, height) = read_header(head)
    except NotAPicture as error:
        raise BadFile("damaged", f"The picture is damaged: {error}.") from error
    if not width or not height or not _whole(file, head, size):
        raise BadFile("damaged", f"The {_word(mime)} is damaged: {'it is cut off' if width else 'no size'}.")
    return Look(mime, size, width, height)


def _whole(file: BinaryIO, head: bytes, size: int) -> bool:
    """Whether its end is there too."""
    if head.startswith(b"RIFF"):
        return int.from_bytes(head[4:8], "little") + 8 <= size
    file.seek(max(0, size - TAIL))
    tail = file.read(TAIL)
    if head.startswith(PNG):
        return b"IEND\xaeB`\x82" in tail
    return b"\xff\xd9" in tail if head.startswith(JPEG) else b";" in tail


def _within_limits(seen: Look) -> Look:
    if seen.kind == "video" and seen.size > LARGEST_VIDEO:
        raise BadFile("bytes", f"The video has {seen.size >> 20} MB, at most {LARGEST_VIDEO >> 20} MB.")
    if max(seen.width, seen.height) > LONGEST_SIDE or seen.width * seen.height > MOST_PIXELS:
        raise BadFile("pixels", f"{seen.width} x {seen.height} pixels are too many.")
    if (seen.seconds or 0) > LONGEST_VIDEO:
        raise BadFile("seconds", f"The video lasts {seen.seconds:.0f} seconds, at most {LONGEST_VIDEO:.0f}.")
    return seen


def _word(mime: str) -> str:
    names = {"image/jpeg": "JPEG", "image/webp": "WebP", "video/webm": "WebM"}
    return names.get(mime, mime.partition("/")[2].upper()) + (" video" if mime.startswith("video/") else "")
