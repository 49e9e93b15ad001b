"""Close matches: a question asked in other words, with typos, but surely the same question.

A wrong answer is worse than none (a model may still answer), so whatever speaks against a match wins.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from core.instance import FaqEntry
from core.knowledge.stems import stems, words

ENOUGH = 0.8  # share of common stems (Dice) where only one side says more
ENOUGH_IF_CHANGED = 0.86  # where each side has a word that the other has not: "cancel" for "change"
ENOUGH_TEXT = 92  # per cent of equal letters where a question has stop words only: "who are you"
TYPO = 0.9  # what a corrected word counts
OTHER_QUESTION = 0.25  # "when do you deliver" against "do you deliver"
MOST_STEMS = 24  # a longer message is a story, not one question

_NEGATION_WORDS = "no not never without cannot cant dont wont не нет без нельзя никогда"
_NEGATIONS = frozenset(_NEGATION_WORDS.split())
_ASKS = {
    word: ask
    for ask, together in {
        "time": "when когда",
        "place": "where где куда откуда",
        "person": "who whom whose кто кого кому чей",
        "reason": "why почему зачем отчего",
        "amount": "much many сколько почем",
    }.items()
    for word in together.split()
}


@dataclass(frozen=True, slots=True)
class Question:
    """What of a question takes part in the comparison."""

    text: str
    stems: frozenset[str]
    numbers: frozenset[str]
    asks: frozenset[str]
    negated: bool


def understood(text: str) -> Question:
    """A normalised question taken apart."""
    spoken = words(text)
    found = frozenset(stems(text))
    return Question(
        text=text,
        stems=found,
        numbers=frozenset(stem for stem in found if stem[0].isdigit()),
        asks=frozenset(_ASKS[word] for word in spoken if word in _ASKS),
        negated="n't" in text or not _NEGATIONS.isdisjoint(spoken),
    )


class CloseMatcher:
    """The entries by the stems of their questions."""

    def __init__(self, entries: Sequence[FaqEntry], normal: Callable[[str], str]) -> None:
        self._known = [(understood(normal(entry.question)), entry) for entry in entries]
        self._holders: dict[str, list[int]] = {}
        for index, (question, _entry) in enumerate(self._known):
            for stem in question.stems:
                self._holders.setdefault(stem, []).append(index)
        self._vocabulary = [stem for stem in self._holders if not stem[0].isdigit()]
        self._bare = [index for index, (question, _) in enumerate(self._known) if not question.stems]

    def find(self, text: str) -> FaqEntry | None:
        """The entry whose question is closest to a normalised text, if one is close enough."""
        asked = understood(text)
        if len(asked.stems) > MOST_STEMS:
            return None
        weights = self._spelled(asked)
        candidates = (
            {index for stem in weights for index in self._holders[stem]} if asked.stems else self._bare
        )
        best, best_rank = None, (0.0, 0.0)
        for index in sorted(candidates):
            known, entry = self._known[index]
            score = closeness(asked, known, weights)
            if score and (rank := (score, fuzz.ratio(text, known.text))) > best_rank:
                best, best_rank = entry, rank
        return best

    def _spelled(self, asked: Question) -> dict[str, float]:
        """Stems of the question that the book knows, as asked (1) or after correcting a typo (less)."""
        weights = {stem: 1.0 for stem in asked.stems if stem in self._holders}
        for stem in asked.stems - weights.keys() - asked.numbers:
            edits = _allowed_edits(stem)
            if not edits:
                continue
            found = process.extractOne(stem, self._vocabulary, scorer=OSA.distance, score_cutoff=edits)
            if found and found[0] not in weights:
                weights[found[0]] = TYPO
        return weights


def closeness(asked: Question, known: Question, weights: dict[str, float]) -> float:
    """How surely two questions are the same one, 0 when not surely enough."""
    if asked.negated != known.negated or (known.numbers and asked.numbers != known.numbers):
        return 0.0
    penalty = 0.0
    if asked.asks != known.asks:
        if asked.asks and known.asks:
            return 0.0
        penalty = OTHER_QUESTION
    if not known.stems:
        ratio = fuzz.ratio(asked.text, known.text)
        return ratio / 100 if ratio >= ENOUGH_TEXT and not penalty else 0.0
    common = [weights[stem] for stem in known.stems if stem in weights]
    score = 2 * sum(common) / (len(asked.stems) + len(known.stems)) - penalty
    changed = len(common) < len(asked.stems) and len(common) < len(known.stems)
    return score if score >= (ENOUGH_IF_CHANGED if changed else ENOUGH) else 0.0


def _allowed_edits(stem: str) -> int:
    """How many typos a stem may have: short words differ by one letter too often (car, cat)."""
    return 0 if len(stem) < 5 else 1 if len(stem) < 9 else 2
