"""FAQ: questions that have a written answer, found before any model is asked."""

import logging
import unicodedata
from collections.abc import Sequence

from core.instance import FaqEntry
from core.knowledge.faq_close import CloseMatcher
from core.knowledge.faq_patterns import BadPattern, Pattern
from core.knowledge.stems import fold

LONGEST = 2000  # a longer text is no question: only an exact match finds it
MATCHES = ("exact", "wildcard", "regex", "close")
logger = logging.getLogger(__name__)


class FaqBook:
    """FAQ entries ready to be looked up: exact, then wildcard, then regex, then close match.

    Within one kind the first entry wins. A pattern that does not compile is left out with a warning.
    """

    def __init__(self, entries: Sequence[FaqEntry]) -> None:
        self._exact: dict[str, FaqEntry] = {}
        for entry in entries:
            if entry.match in ("exact", "close") and (question := normal(entry.question)):
                self._exact.setdefault(question, entry)
        self._longest = max(map(len, self._exact), default=0)
        self._patterns = _patterns(entries, "wildcard") + _patterns(entries, "regex")
        self._close = CloseMatcher([entry for entry in entries if entry.match == "close"], normal)

    def find(self, text: str) -> FaqEntry | None:
        """The entry that answers a message."""
        if len(text) > max(LONGEST, 2 * self._longest):
            return None
        question = normal(text)
        if found := self._exact.get(question):
            return found
        if not question or len(text) > LONGEST:
            return None
        spaced = plain(text)
        for pattern, entry in self._patterns:
            if pattern.matches(question, spaced):
                return entry
        return self._close.find(question)


def plain(text: str) -> str:
    """A message as regular expressions see it: one kind of space, no lone surrogates, е for ё."""
    clean = "".join(" " if "\ud800" <= char <= "\udfff" else char for char in text)
    return " ".join(unicodedata.normalize("NFKC", clean).replace("ё", "е").replace("Ё", "Е").split())


def normal(text: str) -> str:
    """A message without case, spacing and the punctuation at its ends."""
    spaced = " ".join(fold(text).replace("’", "'").split())
    start, end = 0, len(spaced)
    while start < end and not spaced[start].isalnum():
        start += 1
    while end > start and not spaced[end - 1].isalnum():
        end -= 1
    return spaced[start:end]


def check_pattern(match: str, question: str) -> None:
    """Raise BadPattern when an entry with this question can never work; for the moment it is saved."""
    if match not in MATCHES:
        raise BadPattern("unknown_match", match=match)
    if match in ("wildcard", "regex"):
        Pattern(match, question)
    elif not normal(question):
        raise BadPattern("empty")


def _patterns(entries: Sequence[FaqEntry], match: str) -> list[tuple[Pattern, FaqEntry]]:
    found = []
    for entry in entries:
        if entry.match != match:
            continue
        try:
            found.append((Pattern(match, entry.question), entry))
        except BadPattern as error:
            logger.warning("FAQ entry %s is left out: %s", entry.id, error)
    return found
