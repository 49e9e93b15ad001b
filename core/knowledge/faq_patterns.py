"""Patterns of FAQ entries. They run on RE2, which takes time linear in the text whatever the pattern."""

import unicodedata
from typing import Any

import re2

from core.knowledge.stems import fold
from core.knowledge.texts import BAD_PATTERN_TEXTS, worded

LONGEST_PATTERN = 500
MEMORY = 1 << 20  # bytes that one compiled pattern may take


class BadPattern(Exception):
    """A pattern that cannot be used; `text(language)` says why to the person who wrote it."""

    def __init__(self, key: str, **values: object) -> None:
        self.key = key
        self.values = values
        super().__init__(self.text("en"))

    def text(self, language: str) -> str:
        """The reason in the reader's language."""
        return worded(BAD_PATTERN_TEXTS, self.key, language, self.values)


class Pattern:
    """A wildcard over the whole normalised message, or a regular expression found anywhere in it."""

    def __init__(self, match: str, source: str) -> None:
        if len(source) > LONGEST_PATTERN:
            raise BadPattern("too_long", limit=LONGEST_PATTERN)
        if not source.strip():
            raise BadPattern("empty")
        self._wildcard = match == "wildcard"
        self._compiled = _compile(_translate(source) if self._wildcard else _folded(source))
        # A wildcard's longest plain piece: looking for it first is thirty times cheaper.
        self._piece = max(_pieces(source), key=len) if self._wildcard else ""
        if not self._piece and self._compiled.search(""):
            raise BadPattern("matches_all")

    def matches(self, question: str, text: str) -> bool:
        """Whether it matches a message, given as normalised question and as plain text."""
        if not self._wildcard:
            return self._compiled.search(text) is not None
        return self._piece in question and self._compiled.fullmatch(question) is not None


def _folded(source: str) -> str:
    return unicodedata.normalize("NFC", source).replace("ё", "е").replace("Ё", "Е")


def _wildcard(source: str) -> str:
    """The normalised wildcard: punctuation at its end is not part of a normalised message."""
    text = " ".join(fold(source).replace("’", "'").split())
    return text.strip(".,!;:\"'«»…¿¡")


def _pieces(source: str) -> list[str]:
    pieces = _wildcard(source).replace("?", "*").split("*")
    if not any(char.isalnum() for piece in pieces for char in piece):
        raise BadPattern("matches_all")
    return pieces


def _translate(source: str) -> str:
    _pieces(source)
    signs = {"*": ".*", "?": "."}
    wildcard = _wildcard(source)
    if wildcard.endswith("?"):  # "how do I pay?" ends a question more often than it asks for one letter
        wildcard = wildcard.rstrip("?") + "\x00"
    return "".join(signs.get(char, re2.escape(char)) for char in wildcard).replace(re2.escape("\x00"), ".?")


def _compile(pattern: str) -> Any:
    options = re2.Options()
    options.max_mem = MEMORY
    options.log_errors = False
    options.case_sensitive = False
    options.dot_nl = True
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        reason = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise BadPattern("does_not_compile", reason=reason) from error
    except UnicodeEncodeError as error:
        raise BadPattern("not_text") from error
