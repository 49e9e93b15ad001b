"""Cutting a formatted text into messages of at most 4,096 UTF-16 units."""

import unicodedata
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from bots.characters import is_empty

LONGEST = 4096
BREAKS = ("\n\n", "\n", ". ", "! ", "? ", "; ", ", ", " ")
JOINER = "\u200d"
LONGEST_CLUSTER = 24  # code points that are kept together, such as the parts of a family emoji


@dataclass(frozen=True, slots=True)
class Part:
    """One message: text and its entities, counted in UTF-16 units as the Bot API does."""

    text: str
    entities: list[dict[str, Any]] = field(default_factory=list)


def split(text: str, entities: list[dict[str, Any]], limit: int = LONGEST) -> list[Part]:
    """The text in messages; empty ones are left out. Entities across a cut go on in the next message."""
    units = list(accumulate((2 if char > "\uffff" else 1 for char in text), initial=0))
    parts = []
    start = 0
    while start < len(text):
        end = len(text)
        if units[end] - units[start] > limit:
            end = _break(text, start, bisect_right(units, units[start] + limit) - 1)
        part = _cut(text, entities, units, (start, end))
        if part is not None:
            parts.append(part)
        start = end
    return parts


def _break(text: str, start: int, hard: int) -> int:
    floor = start + (hard - start) // 2
    for mark in BREAKS:
        at = text.rfind(mark, floor, hard)
        if at >= 0:
            return at + len(mark)
    for at in range(hard, max(hard - LONGEST_CLUSTER, start), -1):
        if not _inside_cluster(text, at):
            return at
    return hard


def _inside_cluster(text: str, at: int) -> bool:
    after = text[at] if at < len(text) else ""
    joined = JOINER in (text[at - 1], after)
    return joined or (bool(after) and (unicodedata.combining(after) > 0 or after in "\ufe0e\ufe0f\u20e3"))


def _cut(text: str, entities: list[dict[str, Any]], units: list[int], bounds: tuple[int, int]) -> Part | None:
    start, end = bounds
    while start < end and text[start] == "\n":
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    if is_empty(text[start:end]):
        return None
    first, last = units[start], units[end]
    kept = []
    for entity in entities:
        begin = max(entity["offset"], first)
        length = min(entity["offset"] + entity["length"], last) - begin
        if length > 0:
            kept.append({**entity, "offset": begin - first, "length": length})
    return Part(text[start:end], kept)
