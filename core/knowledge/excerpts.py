"""Excerpts: the part of a passage that answers, short enough for a chat, still valid Markdown."""

from collections.abc import Sequence

from core.knowledge.document_blocks import FENCE
from core.knowledge.document_passages import pieces
from core.knowledge.stems import stems

LONGEST = 700


def excerpt(text: str, asked: frozenset[str], limit: int = LONGEST) -> str:
    """The passage, or the run of its blocks around the one that holds most of the question's stems."""
    if len(text) <= limit:
        return text
    blocks = _blocks(text)
    scores = [len(asked.intersection(stems(block))) for block in blocks]
    first = last = scores.index(max(scores))
    if len(blocks[first]) > limit:
        return _part(blocks[first], asked, limit)
    # What introduces the block comes first, then what follows it, as far as there is room.
    while True:
        if first and _length(blocks, first - 1, last) <= limit:
            first -= 1
        elif last + 1 < len(blocks) and _length(blocks, first, last + 1) <= limit:
            last += 1
        else:
            return "\n\n".join(blocks[first : last + 1])


def _length(blocks: Sequence[str], first: int, last: int) -> int:
    return sum(map(len, blocks[first : last + 1])) + 2 * (last - first)


def _part(block: str, asked: frozenset[str], limit: int) -> str:
    """The best piece of a block that is too long by itself."""
    parts = pieces(block, limit, code=FENCE.match(block.split("\n", 1)[0]) is not None)
    return max(parts, key=lambda part: len(asked.intersection(stems(part))))


def _blocks(text: str) -> list[str]:
    """Blocks of a passage; empty lines inside of fenced code do not end one."""
    blocks: list[str] = []
    fence = ""
    for chunk in text.split("\n\n"):
        if fence:
            blocks[-1] += f"\n\n{chunk}"
        else:
            blocks.append(chunk)
        for line in chunk.split("\n"):
            mark = FENCE.match(line)
            if mark and not fence:
                fence = mark[1]
            elif mark and mark[1].startswith(fence):
                fence = ""
    return blocks
