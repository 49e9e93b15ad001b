"""WebM files by their elements (RFC 8794, RFC 9559): size in pixels and length, without decoding anything."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from core.media.files_mp4 import Video

EBML = b"\x1a\x45\xdf\xa3"
SEGMENT, INFO, TRACKS, ENTRY, PICTURE, CLUSTER = (
    0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0xE0, 0x1F43B675,
)  # fmt: skip
SCALE, DURATION, WIDTH, HEIGHT = 0x2AD7B1, 0x4489, 0xB0, 0xBA
MOST_ELEMENTS = 2000
LONGEST_VALUE = 8


class _Elements:
    """Walks elements, and gives up after so many of them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = MOST_ELEMENTS

    def within(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Each element's id, and where its content begins and ends; an unknown end is that of its parent."""
        while start < end and self._left:
            self._left -= 1
            head = self.bytes(start, 12)
            name, taken = _number(head, keep=True)
            size, more = _number(head[taken:])
            if not taken or not more:
                return
            body = start + taken + more
            stop = end if size == (1 << 7 * more) - 1 else body + size
            if stop > end:
                return
            yield name, body, stop
            start = stop

    def bytes(self, start: int, length: int) -> bytes:
        """Some bytes of the file."""
        self._file.seek(start)
        return self._file.read(length)

    def integer(self, start: int, end: int) -> int:
        """An element's value."""
        return int.from_bytes(self.bytes(start, min(end - start, LONGEST_VALUE)), "big")

    def real(self, start: int, end: int) -> float:
        """An element's value; 0 for what is no float."""
        body = self.bytes(start, min(end - start, LONGEST_VALUE))
        return float(struct.unpack({4: ">f", 8: ">d"}[len(body)], body)[0]) if len(body) in (4, 8) else 0.0


def read_webm(file: BinaryIO, size: int) -> Video | None:
    """The largest track with a picture; None where there is none to be found."""
    elements = _Elements(file)
    segment = next((found for found in elements.within(0, size) if found[0] == SEGMENT), None)
    if segment is None:
        return None
    seconds: float | None = None
    largest = (0, 0)
    for name, start, end in elements.within(segment[1], segment[2]):
        if name == INFO:
            seconds = _seconds(elements, start, end)
        elif name == TRACKS:
            tracks = [one for one in elements.within(start, end) if one[0] == ENTRY]
            largest = max([_picture(elements, *track[1:]) for track in tracks], default=(0, 0))
        if name == CLUSTER and largest != (0, 0):
            break
    return Video(*largest, seconds)


def _seconds(elements: _Elements, start: int, end: int) -> float | None:
    scale, length = 1_000_000, 0.0  # nanoseconds a tick
    for name, begin, stop in elements.within(start, end):
        if name == SCALE:
            scale = elements.integer(begin, stop)
        elif name == DURATION:
            length = elements.real(begin, stop)
    seconds = length * scale / 1e9
    return seconds if 0 < seconds < 1e9 else None


def _picture(elements: _Elements, start: int, end: int) -> tuple[int, int]:
    width = height = 0
    for name, begin, stop in elements.within(start, end):
        if name != PICTURE:
            continue
        for inner, first, last in elements.within(begin, stop):
            if inner == WIDTH:
                width = elements.integer(first, last)
            elif inner == HEIGHT:
                height = elements.integer(first, last)
    return width, height


def _number(head: bytes, keep: bool = False) -> tuple[int, int]:
    """A number of variable length and how many bytes it takes, 0 where there is none; `keep` leaves its
    length mark in, as ids have it."""
    if not head or not head[0]:
        return 0, 0
    length = 9 - head[0].bit_length()
    if len(head) < length:
        return 0, 0
    value = int.from_bytes(head[:length], "big")
    return (value if keep else value & (1 << 7 * length) - 1), length
