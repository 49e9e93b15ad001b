"""What a file is, by its own first bytes, and whether it is what it claims to be."""

import warnings
from pathlib import Path

from PIL import Image

from providers.errors import ErrorClass, ProviderError

HEAD = 64  # bytes that tell
MOST_PIXELS = 128_000_000  # more in one picture is a bomb
SUFFIXES = {
    "image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "image/gif": ".gif",
    "video/mp4": ".mp4", "video/webm": ".webm",
}  # fmt: skip
_NOT_MP4 = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1", b"M4A ")


def mime_of(head: bytes) -> str:
    """A file's type by its first bytes; "" for what is no picture or video that people can see."""
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    if head[4:8] == b"ftyp" and head[8:12] not in _NOT_MP4:
        return "video/mp4"
    if head.startswith(b"\x1aE\xdf\xa3") and b"webm" in head:
        return "video/webm"
    return ""


def checked(head: bytes, makes: str) -> str:
    """The type of a result that should be an image or a video. Raises ProviderError."""
    mime = mime_of(head)
    if not mime.startswith(makes):
        said = mime or "neither picture nor video"
        raise ProviderError(ErrorClass.EMPTY, f"the result should be {makes} and is {said}")
    return mime


def check_picture(path: Path) -> None:
    """Read a picture's header: raises ProviderError for a bomb, and for what only begins like a picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                width, height = image.size
    except Image.DecompressionBombError:
        width = height = MOST_PIXELS
    except (OSError, ValueError, SyntaxError) as error:
        raise ProviderError(ErrorClass.EMPTY, "the result is a broken picture") from error
    if width * height > MOST_PIXELS:
        raise ProviderError(ErrorClass.EMPTY, f"the result claims more than {MOST_PIXELS} pixels")
