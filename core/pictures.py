"""Pictures that people send: what counts as one, told by its first bytes, and fetched for a question.

Nothing here decodes a picture: a small file can unfold into gigabytes. Its size in pixels is read from
its header, and what claims to be too large is refused.
"""

import base64
from dataclasses import dataclass, field

LARGEST = 10 * 1024 * 1024  # bytes
MOST_PIXELS = 50_000_000
LONGEST_SIDE = 16_384
PNG = b"\x89PNG\r\n\x1a\n"
GIF = (b"GIF87a", b"GIF89a")
JPEG = b"\xff\xd8\xff"
BARE = frozenset({0x01, *range(0xD0, 0xDA)})  # JPEG markers without a length
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # JPEG markers that hold the size


class NotAPicture(Exception):
    """Bytes that are no PNG, JPEG, WebP or GIF, or one that is too large."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture's bytes and their type; make it with `read_picture`."""

    body: bytes = field(repr=False)
    mime: str

    @property
    def url(self) -> str:
        """The picture as a data: URL."""
        return f"data:{self.mime};base64,{base64.b64encode(self.body).decode()}"


def read_picture(body: bytes) -> Picture:
    """The picture that these bytes are, by their own header. Raises NotAPicture."""
    if len(body) > LARGEST:
        raise NotAPicture(f"{len(body)} bytes, at most {LARGEST}")
    mime, size = read_header(body)
    width, height = size
    if not width or not height:
        raise NotAPicture("a picture without a size")
    if max(size) > LONGEST_SIDE or width * height > MOST_PIXELS:
        raise NotAPicture(f"{width} x {height} pixels")
    return Picture(body, mime)


def read_header(body: bytes) -> tuple[str, tuple[int, int]]:
    """A picture's type and its size in pixels, from its first bytes. Raises NotAPicture."""
    if body.startswith(PNG) and body[12:16] == b"IHDR" and len(body) >= 24:
        return "image/png", (int.from_bytes(body[16:20], "big"), int.from_bytes(body[20:24], "big"))
    if body.startswith(GIF) and len(body) >= 10:
        return "image/gif", (_little(body, 6, 2), _little(body, 8, 2))
    if body.startswith(JPEG):
        return "image/jpeg", _jpeg_size(body)
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "image/webp", _webp_size(body)
    raise NotAPicture("not a PNG, JPEG, WebP or GIF")


def _little(body: bytes, at: int, length: int) -> int:
    return int.from_bytes(body[at : at + length], "little")


def _jpeg_size(body: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 <= len(body) and body[at] == 0xFF:
        marker = body[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in BARE:
            at += 2
        elif marker in FRAMES:
            return int.from_bytes(body[at + 7 : at + 9], "big"), int.from_bytes(body[at + 5 : at + 7], "big")
        else:
            at += 2 + max(int.from_bytes(body[at + 2 : at + 4], "big"), 2)
    raise NotAPicture("a JPEG without a size")


def _webp_size(body: bytes) -> tuple[int, int]:
    kind = body[12:16]
    if kind == b"VP8X" and len(body) >= 30:
        return _little(body, 24, 3) + 1, _little(body, 27, 3) + 1
    if kind == b"VP8L" and len(body) >= 25:
        bits = _little(body, 21, 4)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and len(body) >= 30:
        return _little(body, 26, 2) & 0x3FFF, _little(body, 28, 2) & 0x3FFF
    raise NotAPicture("a WebP without a size")
