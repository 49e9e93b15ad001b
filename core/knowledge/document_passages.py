"""Passages: blocks packed into pieces of a size that is an answer."""

import re
from collections.abc import Iterable, Iterator

from core.knowledge.document_blocks import Block

LONGEST = 900
ENOUGH = 600
SEPARATOR = " › "
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+")
_ITEM = re.compile(r"\n(?=(?:[-*+•]|\d{1,3}[.)])\s)")
_TABLE = re.compile(r"[^\n|]*\|[^\n]{0,400}\n[ \t]*[|:-][-|: \t]{2,400}\n")


def passages(blocks: Iterable[Block]) -> Iterator[tuple[str, str]]:
    """(heading trail, text) of each passage; a passage never spans two headings."""
    trail: tuple[str, ...] = ()
    parts: list[str] = []
    size = 0
    for block in blocks:
        for piece in pieces(block.text, LONGEST, code=block.code):
            if parts and (block.trail != trail or size + len(piece) > LONGEST or _full(size, piece)):
                yield SEPARATOR.join(trail), "\n\n".join(parts)
                parts, size = [], 0
            trail = block.trail
            parts.append(piece)
            size += len(piece) + 2
    if parts:
        yield SEPARATOR.join(trail), "\n\n".join(parts)


def _full(size: int, piece: str) -> bool:
    """Enough already, unless the next piece is what this one announces: code or a list."""
    return size >= ENOUGH and not piece.startswith(("```", "~~~", "- ", "* ", "1. "))


def pieces(text: str, limit: int, *, code: bool = False) -> list[str]:
    """A block in pieces of at most `limit` characters, cut at lines, sentences, then words.

    Each piece of fenced code has its fence.
    """
    if len(text) <= limit:
        return [text]
    if code:
        first, *lines = text.split("\n")
        fence = first.strip()[: len(first.strip()) - len(first.strip().lstrip("`~"))] or "```"
        body = lines[:-1] if lines and lines[-1].strip() == fence else lines
        room = max(limit - len(first) - len(fence) - 2, 80)
        return [f"{first}\n{piece}\n{fence}" for piece in _packed(body, room, "\n")]
    if table := _TABLE.match(text):
        rows = text[table.end() :].split("\n")
        return [table[0] + piece for piece in _packed(rows, max(limit - table.end(), 80), "\n")]
    return _packed(_units(text, limit), limit, "")


def _units(text: str, limit: int) -> Iterator[str]:
    """List items, and the sentences of those that are too long, each with the space that follows it."""
    for item in _parted(_ITEM, text):
        yield from [item] if len(item) <= limit else _parted(_SENTENCE_END, item)


def _parted(joint: re.Pattern[str], text: str) -> Iterator[str]:
    start = 0
    for end in joint.finditer(text):
        yield text[start : end.end()]
        start = end.end()
    yield text[start:]


def _packed(units: Iterable[str], limit: int, joint: str) -> list[str]:
    packed: list[str] = []
    current = ""
    for unit in units:
        for part in _cut(unit, limit):
            if current and len(current) + len(joint) + len(part) > limit:
                packed.append(current.rstrip())
                current = part
            else:
                current = current + joint + part if current else part
    if current.strip():
        packed.append(current.rstrip())
    return packed


def _cut(unit: str, limit: int) -> Iterator[str]:
    """A sentence that is too long by itself, cut at a space if there is one."""
    start = 0
    while len(unit) - start > limit:
        middle, most = start + limit // 2, start + limit
        end = unit.rfind("\n", middle, most) + 1 or unit.rfind(" ", middle, most) + 1 or most
        yield unit[start:end]
        start = end
    yield unit[start:]
