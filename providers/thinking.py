"""Reasoning that models write inline, told apart from the answer while both stream in."""

import re

from providers.types import Text, Thinking

_OPENING = re.compile("<(?:think|thinking|thought)>")
_CLOSING = re.compile("</(?:think|thinking|thought)>")
_TAG = re.compile("</?(?:think|thinking|thought)>")
_TAGS = [f"<{slash}{name}>" for slash in ("", "/") for name in ("think", "thinking", "thought")]
_PREFIXES = frozenset(tag[:end] for tag in _TAGS for end in range(1, len(tag)))
_LONGEST = max(map(len, _TAGS))


class ThinkingSplitter:
    """Splits text at `<think>` and `</think>`, wherever chunks are cut.

    A tag right after a backtick is quoted, not meant. A closing tag without an opening one is dropped.
    `open` tells whether reasoning has begun and not ended: then there is no answer.
    """

    def __init__(self) -> None:
        self.open = False
        self._held = ""
        self._before = ""

    def feed(self, chunk: str) -> list[Text | Thinking]:
        """What is certain by now."""
        text, self._held = self._held + chunk, ""
        if "<" not in text:
            return self._emit(text, [])
        pieces: list[Text | Thinking] = []
        position = 0
        while (found := (_CLOSING if self.open else _TAG).search(text, position)) is not None:
            before = text[found.start() - 1] if found.start() else self._before
            if not self.open and before == "`":
                self._emit(text[position : found.end()], pieces)
            else:
                self._emit(text[position : found.start()], pieces)
                self.open = bool(_OPENING.match(found.group()))
            position = found.end()
        rest = text[position:]
        start = rest.rfind("<", max(0, len(rest) - _LONGEST))
        if start >= 0 and rest[start:] in _PREFIXES:
            rest, self._held = rest[:start], rest[start:]
        return self._emit(rest, pieces)

    def close(self) -> list[Text | Thinking]:
        """The beginning of a tag that never came."""
        held, self._held = self._held, ""
        return self._emit(held, [])

    def _emit(self, text: str, pieces: list[Text | Thinking]) -> list[Text | Thinking]:
        if text:
            pieces.append(Thinking(text) if self.open else Text(text))
            self._before = text[-1]
        return pieces
