"""What a media model is asked and what it makes, the same for a local engine and for every vendor.

A submit may cost money and is therefore apart from everything that can be repeated: it returns a *handle*,
plain JSON that is kept in a row, and whoever has the handle can watch, fetch and cancel, in another process
and after any crash.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from providers.errors import ProviderError

Handle = dict[str, Any]


class Task(StrEnum):
    """What is to be made from what."""

    TEXT_TO_IMAGE = "text_to_image"
    IMAGE_TO_IMAGE = "image_to_image"
    INPAINT = "inpaint"
    UPSCALE = "upscale"
    TRY_ON = "try_on"
    TEXT_TO_VIDEO = "text_to_video"
    IMAGE_TO_VIDEO = "image_to_video"

    @property
    def makes(self) -> str:
        """ "image" or "video"."""
        return "video" if self.endswith("video") else "image"


class Repeat(StrEnum):
    """What may be done about a submit whose answer was lost."""

    KEY = "key"  # the vendor takes an idempotency key: submit again with the same one
    FIND = "find"  # the vendor can be asked what it has: `find`
    NEVER = "never"  # neither: it may have been paid for, so it is not repeated


@dataclass(frozen=True, slots=True)
class MediaInput:
    """A file that the request works on; `role` is image, mask, last_frame, reference, person or garment."""

    path: Path
    mime: str
    role: str = "image"


@dataclass(frozen=True, slots=True)
class Making:
    """What to make. None and "" leave the model's default. `width` and `height` are in pixels, `seconds` is a
    video's length, `strength` 0 to 1 is how far an input image may be left; `params` are further options that
    the model's card (providers/media/cards.py) declares."""

    task: Task
    prompt: str
    negative: str = ""
    width: int | None = None
    height: int | None = None
    count: int = 1
    seed: int | None = None
    seconds: float | None = None
    strength: float | None = None
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MediaRequest(Making):
    """What a model is asked to make, from files."""

    inputs: tuple[MediaInput, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is. `phase` is waiting, loading, running or saving; `fraction` is 0 to 1 over the whole,
    None where the vendor does not tell; `position` counts those before it; `eta` is in seconds; `preview`
    is a small JPEG or PNG."""

    phase: str = "running"
    fraction: float | None = None
    step: int = 0
    steps: int = 0
    position: int | None = None
    eta: float | None = None
    preview: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class MadeFile:
    """A file that was made, in the folder that the caller named; `mime` is by its own bytes, not as told."""

    path: Path
    mime: str


@dataclass(frozen=True, slots=True)
class Made:
    """What came out. `cost` is in US dollars as the vendor told it, None unknown; `settings` are what was
    really used (seed, steps, size, revised prompt, ...), for the file's own record."""

    files: tuple[MadeFile, ...]
    cost: float | None = None
    settings: dict[str, Any] = field(default_factory=dict)


class MediaModel(Protocol):
    """One media model at one provider, with one key. Every method raises ProviderError."""

    @property
    def repeat(self) -> Repeat:
        """What may be done about a submit whose answer was lost."""
        ...

    async def submit(self, request: MediaRequest, key: str, folder: Path) -> Handle:
        """Begin. `key` is unique to this submit and the same when it is repeated.

        A vendor whose answer is the result itself has its files written into `folder` (each under a temporary
        name, then renamed) and named in the handle.
        """
        ...

    async def find(self, key: str) -> Handle | None:
        """The handle of an earlier submit with this key; None when there was none. Only for Repeat.FIND."""
        ...

    def watch(self, handle: Handle) -> AsyncIterator[Progress]:
        """Progress until the work is done, then the iterator ends. Raises ProviderError when it failed;
        one of class CONNECT or TRANSIENT means that asking failed, and may be asked again."""
        ...

    async def fetch(self, handle: Handle, folder: Path) -> Made:
        """The results, as files in `folder`. May be repeated."""
        ...

    async def discard(self, handle: Handle) -> None:
        """The results are stored: the provider may forget them."""
        ...

    async def cancel(self, handle: Handle) -> None:
        """Stop the work, where the provider can."""
        ...


class MediaProvider(Protocol):
    """An account at a vendor, or an engine host: credentials and one HTTP client."""

    def model(self, name: str, key: str) -> MediaModel:
        """A model of this provider, called with one of its keys ("" where none is needed)."""
        ...

    async def close(self) -> None:
        """Close the HTTP client."""
        ...


class EngineDied(ProviderError):
    """The engine died under this very job: one that kills its engine again and again is set aside."""
