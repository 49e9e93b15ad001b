"""The files that a request works on, read, and its shape in the words that vendors use."""

import asyncio
import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass, field

from PIL import Image, ImageOps

from providers.errors import ErrorClass, ProviderError
from providers.media.http import Upload
from providers.media.kinds import HEAD, SUFFIXES, mime_of
from providers.media.types import MediaInput, MediaRequest

LARGEST = 64 << 20  # bytes of one file


@dataclass(frozen=True, slots=True)
class Loaded:
    """One input; `mime` is by its own bytes."""

    role: str
    mime: str
    data: bytes = field(repr=False)

    @property
    def base64(self) -> str:
        """Its bytes as text."""
        return base64.b64encode(self.data).decode()

    @property
    def url(self) -> str:
        """A data: URL."""
        return f"data:{self.mime};base64,{self.base64}"

    @property
    def upload(self) -> Upload:
        """Itself in a form."""
        return Upload(self.data, self.mime, self.role + SUFFIXES[self.mime])


@dataclass(frozen=True, slots=True)
class Order:
    """A request with its files read; `key` is the submit's own, which a vendor may keep."""

    request: MediaRequest
    inputs: tuple[Loaded, ...]
    key: str

    def first(self, role: str) -> Loaded | None:
        """The first input of a role."""
        return next((one for one in self.inputs if one.role == role), None)

    def needed(self, role: str) -> Loaded:
        """The same; raises ProviderError without it."""
        found = self.first(role)
        if found is None:
            raise ProviderError(ErrorClass.CALLER, f"the request needs an input of role {role}")
        return found

    def pictures(self) -> tuple[Loaded, ...]:
        """What it works on, and what it looks at besides."""
        return tuple(one for one in self.inputs if one.role in ("image", "reference"))

    @property
    def size(self) -> str | None:
        """Like 1024x768; None leaves the model's own."""
        width, height = self.request.width, self.request.height
        return f"{width}x{height}" if width and height else None

    def ratio(self, known: Iterable[str]) -> str | None:
        """The nearest of the shapes that a model knows ("16:9"); None leaves its own."""
        width, height = self.request.width, self.request.height
        if not width or not height:
            return None
        return min(known, key=lambda one: abs(_value(one) - width / height) / _value(one))


async def loaded(request: MediaRequest, key: str) -> Order:
    """Read a request's files. Raises ProviderError for what is gone, too large or no picture."""
    inputs = [await asyncio.to_thread(_read, one) for one in request.inputs]
    return Order(request, tuple(inputs), key)


def transparent(mask: bytes) -> bytes:
    """A mask as OpenAI's wire has it: PNG, to be painted where it is transparent. Ours is white there; one
    that has transparent places already is left as it is. Raises ProviderError."""
    try:
        with Image.open(io.BytesIO(mask)) as image:
            image.load()
            if "A" in image.getbands() and image.getchannel("A").getextrema()[0] == 0:
                return mask
            grey = image.convert("L")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ProviderError(ErrorClass.CALLER, "the mask is no picture") from error
    made = Image.new("RGBA", grey.size, (0, 0, 0, 255))
    made.putalpha(ImageOps.invert(grey))
    written = io.BytesIO()
    made.save(written, "PNG")
    return written.getvalue()


def without_nothing(**fields: object) -> dict[str, object]:
    """Only the fields that say something: vendors refuse null and "" for many."""
    return {name: value for name, value in fields.items() if value is not None and value != ""}


def _read(one: MediaInput) -> Loaded:
    try:
        with one.path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ProviderError(ErrorClass.CALLER, f"an input of role {one.role} cannot be read") from error
    mime = mime_of(data[:HEAD])
    if len(data) > LARGEST or not mime.startswith("image"):
        raise ProviderError(ErrorClass.CALLER, f"the input of role {one.role} is no picture that can be sent")
    return Loaded(one.role, mime, data)


def _value(ratio: str) -> float:
    width, _, height = ratio.partition(":")
    return float(width) / float(height)
