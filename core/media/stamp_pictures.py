"""A text inside a picture's file, put in and taken out between its chunks: no pixel is decoded or changed.

PNG keeps it as iTXt, JPEG and WebP as EXIF UserComment, where other programs look for it too.
"""

import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image

from core.pictures import GIF, JPEG, PNG, NotAPicture, read_header

KEYWORD = b"botyard"
TEXTS = (b"iTXt", b"tEXt", b"zTXt", b"eXIf", b"tIME")
EXIF_IFD, USER_COMMENT = 0x8769, 0x9286
EXIF = b"Exif\0\0"
CHARSET = b"UNICODE\0"
LONGEST_SEGMENT = 65_533  # bytes of content in a JPEG segment
APP1, COMMENT, SCAN, APP13 = 0xE1, 0xFE, 0xDA, 0xED
EXIF_FLAG, XMP_FLAG, ALPHA_FLAG = 0x08, 0x04, 0x10


class CannotStamp(ValueError):
    """The format has no place for the text, or none for so long a one; or the file is damaged."""


def put_text(body: bytes, text: str) -> bytes:
    """The file with a text in it, in place of an earlier one. Raises CannotStamp."""
    made: bytes = _of(body, {"PNG": _png_put, "JPEG": _jpeg_put, "WebP": _webp_put})(body, text)
    return made


def text_in(body: bytes) -> str | None:
    """The text that `put_text` put in; None without one. Raises CannotStamp for a damaged file."""
    found: str | None = _of(body, {"PNG": _png_text, "JPEG": _jpeg_text, "WebP": _webp_text})(body)
    return found


def stripped(body: bytes) -> bytes:
    """The file without any text, EXIF or XMP. Raises CannotStamp."""
    made: bytes = _of(body, {"PNG": _png_strip, "JPEG": _jpeg_strip, "WebP": _webp_strip})(body)
    return made


def _of(body: bytes, ways: dict[str, Callable[..., Any]]) -> Callable[..., Any]:
    if body.startswith(PNG):
        return ways["PNG"]
    if body.startswith(JPEG):
        return ways["JPEG"]
    if body[:4] + body[8:12] == b"RIFFWEBP":
        return ways["WebP"]
    raise CannotStamp("a GIF has no place for it" if body.startswith(GIF) else "not a PNG, JPEG or WebP")


def _png_chunks(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each chunk's type, and the whole chunk."""
    at = len(PNG)
    while at + 12 <= len(body):
        end = at + 12 + int.from_bytes(body[at : at + 4], "big")
        if end > len(body):
            break
        yield body[at + 4 : at + 8], body[at:end]
        if body[at + 4 : at + 8] == b"IEND":
            return
        at = end
    raise CannotStamp("the PNG is cut off")


def _png_put(body: bytes, text: str) -> bytes:
    content = b"iTXt" + KEYWORD + b"\0\0\0\0\0" + text.encode()
    chunk = struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))
    kept = [whole for kind, whole in _png_chunks(body) if not (kind == b"iTXt" and _is_ours(whole))]
    return b"".join((PNG, *kept[:1], chunk, *kept[1:]))


def _png_text(body: bytes) -> str | None:
    for kind, whole in _png_chunks(body):
        if kind == b"iTXt" and _is_ours(whole):
            return whole[8 + len(KEYWORD) + 5 : -4].decode(errors="replace")
    return None


def _png_strip(body: bytes) -> bytes:
    return PNG + b"".join(whole for kind, whole in _png_chunks(body) if kind not in TEXTS)


def _is_ours(chunk: bytes) -> bool:
    return chunk[8:].startswith(KEYWORD + b"\0\0\0\0\0")


def _jpeg_segments(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Each segment's marker and the whole segment; the last one is the scan with all that follows."""
    at = 2
    while at + 4 <= len(body) and body[at] == 0xFF:
        marker = body[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == SCAN:
            yield marker, body[at:]
            return
        end = at + 2 + int.from_bytes(body[at + 2 : at + 4], "big")
        if end <= at + 3 or end > len(body):
            break
        yield marker, body[at:end]
        at = end
    raise CannotStamp("the JPEG is damaged")


def _is_exif(marker: int, whole: bytes) -> bool:
    return marker == APP1 and whole[4:].startswith(EXIF)


def _jpeg_exif(body: bytes) -> bytes:
    return next((whole[4:] for marker, whole in _jpeg_segments(body) if _is_exif(marker, whole)), b"")


def _jpeg_put(body: bytes, text: str) -> bytes:
    exif = EXIF + _with_comment(_jpeg_exif(body), text)
    if len(exif) > LONGEST_SEGMENT:
        raise CannotStamp("the text is too long for a JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    kept = [(marker, whole) for marker, whole in _jpeg_segments(body) if not _is_exif(marker, whole)]
    first = 1 if kept and kept[0][0] == 0xE0 else 0  # JFIF wants to be first
    pieces = [whole for _, whole in kept]
    return b"".join((body[:2], *pieces[:first], segment, *pieces[first:]))


def _jpeg_text(body: bytes) -> str | None:
    return _comment_of(_jpeg_exif(body))


def _jpeg_strip(body: bytes) -> bytes:
    gone = (APP1, APP13, COMMENT)
    return body[:2] + b"".join(whole for marker, whole in _jpeg_segments(body) if marker not in gone)


def _webp_chunks(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each chunk's type and content."""
    at, end = 12, min(len(body), int.from_bytes(body[4:8], "little") + 8)
    while at + 8 <= end:
        size = int.from_bytes(body[at + 4 : at + 8], "little")
        if at + 8 + size > end:
            raise CannotStamp("the WebP is cut off")
        yield body[at : at + 4], body[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _webp(chunks: list[tuple[bytes, bytes]]) -> bytes:
    content = b"WEBP" + b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(content)) + content


def _webp_put(body: bytes, text: str) -> bytes:
    chunks = list(_webp_chunks(body))
    exif = _with_comment(_webp_exif(chunks), text)
    extended = dict(chunks).get(b"VP8X") or _extended(body, chunks)
    if len(extended) < 10:
        raise CannotStamp("the WebP is damaged")
    extended = bytes([extended[0] | EXIF_FLAG]) + extended[1:]
    kept = [one for one in chunks if one[0] not in (b"VP8X", b"EXIF")]
    at = next((place for place, one in enumerate(kept) if one[0] == b"XMP "), len(kept))
    return _webp([(b"VP8X", extended), *kept[:at], (b"EXIF", exif), *kept[at:]])


def _extended(body: bytes, chunks: list[tuple[bytes, bytes]]) -> bytes:
    """The header that a simple file needs before it may carry EXIF."""
    try:
        width, height = read_header(body)[1]
    except NotAPicture as error:
        raise CannotStamp(str(error)) from error
    lossless = dict(chunks).get(b"VP8L", b"")
    alpha = ALPHA_FLAG if len(lossless) > 4 and lossless[4] & 0x10 else 0
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes([alpha, 0, 0, 0]) + sides


def _webp_exif(chunks: list[tuple[bytes, bytes]]) -> bytes:
    return dict(chunks).get(b"EXIF", b"")


def _webp_text(body: bytes) -> str | None:
    return _comment_of(_webp_exif(list(_webp_chunks(body))))


def _webp_strip(body: bytes) -> bytes:
    kept = []
    for kind, data in _webp_chunks(body):
        if kind == b"VP8X" and data:
            data = bytes([data[0] & ~(EXIF_FLAG | XMP_FLAG)]) + data[1:]
        if kind not in (b"EXIF", b"XMP "):
            kept.append((kind, data))
    return _webp(kept)


def _with_comment(exif: bytes, text: str) -> bytes:
    """EXIF with a comment; what else is in it (how a photo is turned) stays."""
    found = _exif(exif)
    found.get_ifd(EXIF_IFD)[USER_COMMENT] = CHARSET + text.encode("utf-16-le")
    return bytes(found.tobytes()).removeprefix(EXIF)


def _comment_of(exif: bytes) -> str | None:
    comment = _exif(exif).get_ifd(EXIF_IFD).get(USER_COMMENT) if exif else None
    if not isinstance(comment, bytes) or not comment.startswith(CHARSET):
        return None
    return comment.removeprefix(CHARSET).decode("utf-16-le", "replace")


def _exif(data: bytes) -> Image.Exif:
    found = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF
            found.load(data)
            found.get_ifd(EXIF_IFD)
    except (SyntaxError, ValueError, KeyError, TypeError, OSError, struct.error):
        return Image.Exif()  # damaged: it is made anew
    return found
