"""HTML pages as blocks: a reader program (see core/knowledge/document_child.py).

Python's parser takes quadratic time on some pages.
"""

import sys
from html.parser import HTMLParser

from core.knowledge.document_blocks import Block, Outline
from core.knowledge.document_child import serve

_SKIPPED = {
    "script", "style", "noscript", "template", "svg", "nav", "iframe", "object", "select", "head", "math",
}  # fmt: skip
_OF_HEAD = {"base", "link", "meta", "noscript", "script", "style", "template", "title"}
_BREAKING = {
    "p", "div", "section", "article", "main", "header", "footer", "aside", "ul", "ol", "dl", "dt", "dd",
    "table", "blockquote", "form", "fieldset", "figure", "figcaption", "address", "hr", "details", "summary",
    "body", "html",
}  # fmt: skip
_HEADINGS = {f"h{level}": level for level in range(1, 7)}


class _Reader(HTMLParser):
    """Collects blocks. Tags that are never closed end with the page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Block] = []
        self._outline = Outline()
        self._text: list[str] = []
        self._skipping: str | None = None
        self._depth = 0
        self._heading = 0
        self._pre = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skipping == "head" and tag not in _OF_HEAD:
            self._skipping = None  # a page need not close its head
        if self._skipping:
            self._depth += tag == self._skipping
        elif tag in _SKIPPED:
            self._skipping, self._depth = tag, 1
        elif tag == "body":
            self.flush()
        elif tag in _HEADINGS:
            self.flush()
            self._heading = _HEADINGS[tag]
        elif tag == "pre":
            self.flush()
            self._pre = True
        elif tag == "li":
            self._text.append("\n- ")
        elif tag in ("br", "tr"):
            self._text.append("\n")
        elif tag in ("td", "th"):
            self._text.append(" | " if self._text and not self._text[-1].endswith("\n") else "")
        elif tag in _BREAKING:
            self.flush()

    def handle_endtag(self, tag: str) -> None:
        if self._skipping:
            self._depth -= tag == self._skipping
            if not self._depth:
                self._skipping = None
        elif tag in _HEADINGS:
            title = " ".join("".join(self._text).split())
            self._text.clear()
            self._outline.enter(self._heading or _HEADINGS[tag], title)
            self._heading = 0
        elif tag in _BREAKING or tag == "pre":
            self.flush()
            self._pre = self._pre and tag != "pre"

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self._text.append(data if self._pre else _spaced(data))

    def flush(self) -> None:
        """A block ends here."""
        text = "".join(self._text)
        self._text.clear()
        if self._pre:
            if text.strip():
                self.blocks.append(Block(self._outline.trail, f"```\n{text.strip(chr(10))}\n```", code=True))
            return
        lines = [" ".join(line.split()) for line in text.split("\n")]
        if words := "\n".join(line for line in lines if line not in ("", "-")):
            self.blocks.append(Block(self._outline.trail, words))


def _spaced(data: str) -> str:
    words = " ".join(data.split())
    if not words:
        return " " if data else ""
    return f"{' ' if data[0].isspace() else ''}{words}{' ' if data[-1].isspace() else ''}"


def html_blocks(page: str) -> list[Block]:
    """What a reader of the page sees, under its headings; scripts, styles and menus are left out."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    reader.flush()
    return reader.blocks


def _read(data: bytes) -> list[Block]:
    return html_blocks(data.decode("utf-8", "ignore"))


if __name__ == "__main__":
    sys.exit(serve(_read))
