"""Reasoning that models write inline, told apart from the answer while both stream in."""

import re

from providers.code_spans import CodeSpans
from providers.types import Text, Thinking

_NAMES = ("think", "thinking", "thought")
_CLOSING = re.compile(f"</(?:{'|'.join(_NAMES)})>")
_TOKEN = re.compile(f"`+|~+|\n|<(/?)(?:{'|'.join(_NAMES)})>")
_MARK = re.compile("[<`~\n]")
_TAGS = [f"<{slash}{name}>" for slash in ("", "/") for name in _NAMES]
_PREFIXES = frozenset(tag[:end] for tag in _TAGS for end in range(1, len(tag)))
_LONGEST = max(map(len, _TAGS))


class ThinkingSplitter:
    """Splits text at `<think>` and `</think>`, wherever chunks are cut.

    Tags inside code are text. The first closing tag ends reasoning, nested or not, save one between two
    backticks; one without an opening tag is dropped. `open` tells whether reasoning has begun and not
    ended: then there is no answer.
    """

    def __init__(self) -> None:
        self.open = False
        self._held = ""
        self._before = ""
        self._code = CodeSpans()

    def feed(self, chunk: str) -> list[Text | Thinking]:
        """What is certain by now."""
        if not self._held and _MARK.search(chunk) is None:  # nearly every chunk
            if not chunk:
                return []
            if self.open:
                self._before = chunk[-1]
                return [Thinking(chunk)]
            self._code.plain(chunk)
            return [Text(chunk)]
        text, self._held = self._held + chunk, ""
        pieces: list[Text | Thinking] = []
        position = 0
        while position < len(text):
            part = self._thinking if self.open else self._answer
            position = part(text, position, pieces)
        return pieces

    def close(self) -> list[Text | Thinking]:
        """The beginning of a tag that never came."""
        held, self._held = self._held, ""
        if self.open and held.endswith(">"):  # an end of reasoning that waited for what follows it
            self._ended()
            return []
        return self._emit(held, [])

    def _answer(self, text: str, start: int, pieces: list[Text | Thinking]) -> int:
        """Read text up to the next tag that counts; returns where to go on."""
        code, position = self._code, start
        while (found := _TOKEN.search(text, position)) is not None:
            code.plain(text[position : found.start()])
            position = found.end()
            if found.group() == "\n":
                code.newline()
            elif found.group()[0] != "<":
                code.run(found.group())
            elif not code.covers(found.group()):
                self._emit(text[start : found.start()], pieces)
                self.open = not found.group(1)
                self._before = ""
                return position
        rest = text[position:]
        cut = rest.rfind("<", max(0, len(rest) - _LONGEST))
        if cut >= 0 and rest[cut:] in _PREFIXES:
            code.plain(rest[:cut])
            self._held, rest = rest[cut:], rest[:cut]
        else:
            code.plain(rest)
        self._emit(text[start:position] + rest, pieces)
        return len(text)

    def _thinking(self, text: str, start: int, pieces: list[Text | Thinking]) -> int:
        """Read reasoning up to its end; returns where to go on."""
        position = start
        while (found := _CLOSING.search(text, position)) is not None:
            before = text[found.start() - 1] if found.start() > start else self._before
            if before == "`":
                if found.end() == len(text):  # quoted or not: the next character tells
                    self._emit(text[start : found.start()], pieces)
                    self._held = found.group()
                    return len(text)
                if text[found.end()] == "`":
                    position = found.end()
                    continue
            self._emit(text[start : found.start()], pieces)
            self._ended()
            return found.end()
        cut = text.rfind("<", max(position, len(text) - _LONGEST))
        if cut >= 0 and text[cut:] in _PREFIXES:
            self._held, text = text[cut:], text[:cut]
        self._emit(text[start:], pieces)
        return len(text) + len(self._held)

    def _ended(self) -> None:
        self.open = False
        self._code = CodeSpans()

    def _emit(self, text: str, pieces: list[Text | Thinking]) -> list[Text | Thinking]:
        if text:
            pieces.append(Thinking(text) if self.open else Text(text))
            self._before = text[-1]
        return pieces
