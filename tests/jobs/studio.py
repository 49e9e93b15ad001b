"""A media vendor in memory: it keeps its word, or fails as it is told, and counts what it was asked."""

import asyncio
import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from providers.errors import ErrorClass, ProviderError
from providers.media.cards import Card, Option
from providers.media.types import EngineDied, Handle, Made, MadeFile, MediaRequest, Progress, Repeat, Task
from providers.types import ProviderConfig

ALL = (Task.TEXT_TO_IMAGE, Task.IMAGE_TO_IMAGE)


def picture(width: int = 32, height: int = 24, shade: int = 90) -> bytes:
    """A real PNG of one colour."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        whole = kind + body
        return struct.pack(">I", len(body)) + whole + struct.pack(">I", zlib.crc32(whole))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = (b"\0" + bytes([shade, 30, 200]) * width) * height
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@dataclass
class Vendor:
    """What one provider does. `fails` are errors for the next submits, `breaks` for the next watches."""

    repeat: Repeat = Repeat.KEY
    steps: int = 3
    step_seconds: float = 0.0
    fails: list[ProviderError] = field(default_factory=list)
    breaks: list[ProviderError] = field(default_factory=list)
    loses: int = 0  # answers to submits that get lost after the work has begun
    body: bytes = field(default_factory=picture)
    files: int = 1
    submits: list[tuple[str, str, MediaRequest]] = field(default_factory=list)
    begun: set[str] = field(default_factory=set)
    cancelled: list[str] = field(default_factory=list)
    discarded: list[str] = field(default_factory=list)


VENDORS: dict[str, Vendor] = {}

CARDS = (
    Card(
        "fast", "Fast", ALL, quality=50, count=4, seeds=True, price=0.02, options=(Option("style", "text"),)
    ),
    Card("fine", "Fine", ALL, quality=80, count=1, low_side=64, high_side=1024, multiple=8),
)


async def list_cards(_config: ProviderConfig) -> list[Card]:
    return list(CARDS)


def create(config: ProviderConfig) -> "Provider":
    return Provider(VENDORS[config.id])


class Provider:
    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    def model(self, name: str, key: str) -> "Model":
        return Model(self._vendor, name)

    async def close(self) -> None:
        pass


class Model:
    def __init__(self, vendor: Vendor, name: str) -> None:
        self._vendor = vendor
        self._name = name

    @property
    def repeat(self) -> Repeat:
        return self._vendor.repeat

    async def submit(self, request: MediaRequest, key: str, folder: Path) -> Handle:
        vendor = self._vendor
        vendor.submits.append((self._name, key, request))
        if vendor.fails:
            raise vendor.fails.pop(0)
        vendor.begun.add(key)
        if vendor.loses:
            vendor.loses -= 1
            raise ProviderError(ErrorClass.TRANSIENT, "the connection broke")
        return {"id": key}

    async def find(self, key: str) -> Handle | None:
        return {"id": key} if key in self._vendor.begun else None

    async def watch(self, handle: Handle) -> AsyncIterator[Progress]:
        vendor = self._vendor
        if vendor.breaks:
            raise vendor.breaks.pop(0)
        for step in range(1, vendor.steps + 1):
            await asyncio.sleep(vendor.step_seconds)
            yield Progress("running", step / vendor.steps, step, vendor.steps, preview=picture(8, 8))

    async def fetch(self, handle: Handle, folder: Path) -> Made:
        settings: dict[str, Any] = {"seed": 7}
        paths = [folder / f"made-{at}.png" for at in range(self._vendor.files)]
        for path in paths:
            path.write_bytes(self._vendor.body)
        return Made(tuple(MadeFile(path, "image/png") for path in paths), None, settings)

    async def discard(self, handle: Handle) -> None:
        self._vendor.discarded.append(handle["id"])

    async def cancel(self, handle: Handle) -> None:
        self._vendor.cancelled.append(handle["id"])


def died() -> EngineDied:
    return EngineDied(ErrorClass.TRANSIENT, "signal 9")
