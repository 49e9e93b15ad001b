"""Small pictures for lists, made from large ones; loaded only where somebody looks at such a list."""

from io import BytesIO

from PIL import Image, ImageOps

from core.media.files import BadFile
from core.pictures import MOST_PIXELS, NotAPicture, read_header

SIDE = 512
MOST_UNFOLDED = 20_000_000  # pixels of a format that is read whole; a JPEG is read at a fraction
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


def small_picture(body: bytes) -> bytes:
    """A WebP of at most SIDE pixels a side. Raises BadFile. It takes a while: run it in a thread."""
    try:
        mime, (width, height) = read_header(body)
        if width * height > (MOST_PIXELS if mime == "image/jpeg" else MOST_UNFOLDED):
            raise BadFile("pixels", f"{width} x {height} pixels are too many for a preview.")
        with Image.open(BytesIO(body), formats=FORMATS) as picture:
            if picture.size != (width, height) and mime != "image/gif":
                raise BadFile("damaged", "The picture's headers differ.")
            picture.draft("RGB", (SIDE * 2, SIDE * 2))
            turned = ImageOps.exif_transpose(picture)
            turned.thumbnail((SIDE, SIDE))
            made = turned.convert("RGBA" if turned.has_transparency_data else "RGB")
    except (NotAPicture, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise error if isinstance(error, BadFile) else BadFile("damaged", f"No preview: {error}") from error
    buffer = BytesIO()
    made.save(buffer, "WEBP", quality=80, method=3)
    return buffer.getvalue()
