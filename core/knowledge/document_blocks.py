"""Blocks: a document as headings, paragraphs and code, from Markdown and from plain text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

FENCE = re.compile(r" {0,3}(`{3,}|~{3,})([^`]*)$")
LONGEST_HEADING = 500  # of its line; the expression below takes quadratic time
_HEADING = re.compile(r" {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})\s*$")
_RULE = re.compile(r" {0,3}([-*_])(?:\s*\1){2,}\s*$")
# Each part ends where another may begin: openings without an end would take quadratic time.
_IMAGE = re.compile(r"\[?!\[[^\[\]\n]{0,300}\]\([^()\n]{0,2000}\)(?:\]\([^()\n]{0,2000}\))?")
_LOCAL_LINK = re.compile(r"\[([^\[\]\n]{1,300})\]\((?!https?://|mailto:|tg://)[^()\n]{0,2000}\)")
_HTML_TAG = re.compile(r"</?[a-zA-Z][^<>\n]{0,500}>")
_MARKS = re.compile(r"[*_`]+")


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list, table or piece of code under its headings, outermost first."""

    trail: tuple[str, ...]
    text: str
    code: bool = False


class Outline:
    """The headings that a reader has passed, as a trail."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def enter(self, level: int, title: str) -> None:
        """A heading begins: all of its level and deeper end."""
        self._open = [heading for heading in self._open if heading[0] < level]
        if title:
            self._open.append((level, title[:120]))

    @property
    def trail(self) -> tuple[str, ...]:
        """The headings above the current place."""
        return tuple(title for _level, title in self._open)


def markdown_blocks(text: str) -> list[Block]:
    """The blocks of a Markdown text, without images, comments and links to neighbouring files."""
    outline, blocks, paragraph = Outline(), list[Block](), list[str]()

    def finish() -> None:
        if words := _cleaned("\n".join(paragraph)):
            blocks.append(Block(outline.trail, words))
        paragraph.clear()

    for line, code in _lines(_without_comments(_without_front_matter(text))):
        if code:
            finish()
            blocks.append(Block(outline.trail, line, code=True))
        elif heading := _HEADING.match(line[:LONGEST_HEADING]):
            finish()
            outline.enter(len(heading[1]), _title(heading[2] or ""))
        elif (
            len(paragraph) == 1
            and _UNDERLINE.match(line)
            and not paragraph[0].lstrip().startswith(("-", "|"))
        ):
            title = paragraph.pop()
            outline.enter(1 if "=" in line else 2, _title(title))
        elif not line.strip() or _RULE.match(line):
            finish()
        else:
            paragraph.append(line)
    finish()
    return blocks


def text_blocks(text: str, trail: tuple[str, ...] = ()) -> list[Block]:
    """The paragraphs of a plain text."""
    paragraphs = re.split(r"\n[ \t]*\n", text)
    return [Block(trail, words) for paragraph in paragraphs if (words := paragraph.strip())]


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Lines, and each fenced piece of code as a whole with True."""
    fence, code, indent = "", list[str](), 0
    for line in text.split("\n"):
        mark = FENCE.match(line)
        if fence:
            code.append(line[min(indent, len(line) - len(line.lstrip())) :])
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                yield "\n".join(code), True
                fence, code = "", []
        elif mark:
            fence, code = mark[1], [line.strip()]
            indent = len(line) - len(line.lstrip())
        else:
            yield line, False
    if fence:
        yield "\n".join([*code, fence]), True


def _without_front_matter(text: str) -> str:
    if text.startswith("---\n") and (end := text.find("\n---\n", 4, 5000)) > 0:
        text = text[end + 5 :]
    return text


def _without_comments(text: str) -> str:
    kept, start = [], 0
    while (begin := text.find("<!--", start)) >= 0 and (end := text.find("-->", begin + 4)) >= 0:
        kept.append(text[start:begin])
        start = end + 3
    return "".join([*kept, text[start:]])


def _cleaned(paragraph: str) -> str:
    text = _LOCAL_LINK.sub(r"\1", _IMAGE.sub("", paragraph))
    if "`" not in text:  # a tag in code is what the text is about
        text = _HTML_TAG.sub("", text)
    lines = [line.rstrip() for line in text.split("\n")]
    return "\n".join(line for line in lines if line).strip("\n")


def _title(text: str) -> str:
    return " ".join(_MARKS.sub("", _LOCAL_LINK.sub(r"\1", _HTML_TAG.sub("", _IMAGE.sub("", text)))).split())
