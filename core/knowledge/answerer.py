"""The knowledge answerer: a model that answers from FAQ entries and documents, or says that it cannot."""

import math
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.knowledge.excerpts import excerpt
from core.knowledge.question_words import LIGHT_STEMS, PLEASANTRIES
from core.knowledge.stems import stems, words
from core.knowledge.texts import ANSWER_TEXTS, worded
from db.database import Database
from db.passages import MOST_STEMS, count_passages, search
from providers.errors import ErrorClass, ProviderError
from providers.types import ChatRequest, Cited, Delta, Finish, Text

THRESHOLD = 0.6  # the weighted share of the question's stems that a passage must hold
LONGEST_QUESTION = 2000
FEWEST = 50  # passages assumed at least: in a tiny base counts say little about rarity
LIGHT = 0.35  # what a word that fits any question weighs
PREFERRED = 1.1  # by how much an answer in the question's language, or from the FAQ, ranks higher
HEADING = 0.25  # what a stem found in the heading adds to a rank, not to the score
REPEATED = 0.05  # what each of up to four occurrences adds to a rank
_CYRILLIC = re.compile("[а-яё]", re.I)


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that answers. `kind` is faq or document and `ref` that row's id; `title` is for people;
    `score` is the weighted share of the question's stems that it holds, from 0 to 1."""

    kind: str
    ref: str
    title: str
    heading: str
    text: str
    score: float

    @property
    def sure(self) -> bool:
        """Whether it is good enough for an answer."""
        return self.score >= THRESHOLD


class KnowledgeModel:
    """Answers the last question from the knowledge bases of the request's scope.

    Raises ProviderError (class empty) when no passage is good enough: a route then goes on.
    """

    prefill = False

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stream(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """The best passage, its source, and a Finish."""
        asked = [turn.text for turn in request.turns if turn.role == "user"]
        question = asked[-1][:LONGEST_QUESTION] if asked else ""
        found = await self.best(question, request.scope)
        if found is None:
            raise ProviderError(ErrorClass.EMPTY, "no passage answers this")
        yield Text(excerpt(found.text, frozenset(stems(question))))
        source = worded(ANSWER_TEXTS, "source", request.language, {"title": _escaped(found.title)})
        yield Text(f"\n\n{source}")
        yield Cited(found.kind, found.ref, found.title)
        yield Finish("stop")

    async def best(self, question: str, base_ids: Sequence[str]) -> Found | None:
        """The passage that answers a question, None when none is good enough."""
        return next((found for found in await self.candidates(question, base_ids, 3) if found.sure), None)

    async def candidates(self, question: str, base_ids: Sequence[str], limit: int = 5) -> list[Found]:
        """The passages nearest to a question, best first, with their scores."""
        question = question[:LONGEST_QUESTION]
        asked = list(dict.fromkeys(stems(question)))[:MOST_STEMS]
        if not asked or not base_ids or PLEASANTRIES.issuperset(words(question)):
            return []
        async with self._database.reading() as conn:
            counts = await count_passages(conn, base_ids, asked)
            weights = _weights(asked, counts)
            held = {stem: weight for stem, weight in weights.items() if counts.get(stem)}
            rows = await search(conn, base_ids, held, max(20, limit))
        total = sum(weights.values())
        russian = _CYRILLIC.search(question) is not None
        ranked = sorted(rows, key=lambda row: (-_rank(row, weights, russian), len(row.text), row.id))
        return [_found(row, row.weight / total) for row in ranked[:limit]]


def _weights(asked: Sequence[str], counts: Mapping[str, int]) -> dict[str, float]:
    """What each stem of a question weighs: more when it is rare, little when it fits any question."""
    passages = max(counts.get("", 0), FEWEST)
    return {
        stem: math.sqrt(math.log(1 + passages / max(counts.get(stem, 0), 1)))
        * (LIGHT if stem in LIGHT_STEMS else 1)
        for stem in asked
    }


def _rank(row: Any, weights: Mapping[str, float], russian: bool) -> float:
    heading = set(stems(row.heading))
    titled = HEADING * sum(weight for stem, weight in weights.items() if stem in heading)
    held = Counter(row.stems.split())
    repeated = REPEATED * sum(weight * min(held[stem], 4) for stem, weight in weights.items())
    same_language = russian == (_CYRILLIC.search(row.text) is not None)
    written = row.faq_id is not None  # somebody wrote this as an answer
    return (
        float(row.weight + titled + repeated)
        * (PREFERRED if same_language else 1)
        * (PREFERRED if written else 1)
    )


def _found(row: Any, score: float) -> Found:
    if row.faq_id is not None:
        title = f"FAQ: {row.heading}" if row.heading else "FAQ"
        return Found("faq", row.faq_id, title, row.heading, row.text, score)
    title = f"{row.heading} ({row.document_name})" if row.heading else str(row.document_name)
    return Found("document", row.document_id, title, row.heading, row.text, score)


def _escaped(title: str) -> str:
    """A title that Markdown leaves as it is."""
    return "".join(f"\\{char}" if char in "\\`*_[]<>|~" else char for char in title)
