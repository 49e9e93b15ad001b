"""MP4 files by their boxes (ISO/IEC 14496-12): size in pixels and length, without decoding anything."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MOST_BOXES = 2000  # of a whole file; a made-up one could hold millions
TRACK_HEADER, MOVIE_HEADER = 104, 112  # bytes, in their longer version


@dataclass(frozen=True, slots=True)
class Video:
    """A video's size in pixels, and its length where it says so."""

    width: int
    height: int
    seconds: float | None


class _Boxes:
    """Walks boxes, and gives up after so many of them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = MOST_BOXES

    def within(self, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
        """Each box's type, and where its content begins and ends."""
        while start + 8 <= end and self._left:
            self._left -= 1
            head = self.bytes(start, 16)
            size, kind, body = int.from_bytes(head[:4], "big"), head[4:8], start + 8
            if size == 1:
                size, body = int.from_bytes(head[8:16], "big"), start + 16
            stop = end if size == 0 else start + size
            if stop < body or stop > end:
                return
            yield kind, body, stop
            start = stop

    def bytes(self, start: int, length: int) -> bytes:
        """Some bytes of the file."""
        self._file.seek(start)
        return self._file.read(length)


def read_mp4(file: BinaryIO, size: int) -> Video | None:
    """The largest track with a picture; None where there is none to be found."""
    boxes = _Boxes(file)
    movie = next((found for found in boxes.within(0, size) if found[0] == b"moov"), None)
    if movie is None:
        return None
    seconds: float | None = None
    largest = (0, 0)
    for kind, start, end in boxes.within(movie[1], movie[2]):
        if kind == b"mvhd":
            seconds = _seconds(boxes.bytes(start, min(end - start, MOVIE_HEADER)))
        elif kind == b"trak":
            largest = max(largest, _track(boxes, start, end))
    return Video(*largest, seconds)


def _track(boxes: _Boxes, start: int, end: int) -> tuple[int, int]:
    for kind, begin, stop in boxes.within(start, end):
        if kind == b"tkhd":
            body = boxes.bytes(begin, min(stop - begin, TRACK_HEADER))
            return int.from_bytes(body[-8:-6], "big"), int.from_bytes(body[-4:-2], "big")
    return 0, 0


def _seconds(body: bytes) -> float | None:
    """The movie's length, from version 0 (32 bits) or 1 (64 bits) of its header."""
    if len(body) < 32:
        return None
    long = body[0] == 1
    scale = int.from_bytes(body[20:24] if long else body[12:16], "big")
    length = int.from_bytes(body[24:32] if long else body[16:20], "big")
    unknown = length == (0xFFFFFFFFFFFFFFFF if long else 0xFFFFFFFF)
    return length / scale if scale and length and not unknown else None
