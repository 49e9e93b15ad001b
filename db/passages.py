"""The search over passages: an index over their stems, and the queries that read it.

SQLite keeps an FTS5 table beside the rows, PostgreSQL a GIN index; both match whole stems and nothing
else, and weights are computed from the same counts, so both answer alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    Select,
    Text,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
    union_all,
)  # fmt: skip
from sqlalchemy.ext.asyncio import AsyncConnection

from db.knowledge import Document, Faq, Passage

MOST_STEMS = 32  # of one question; a query has one term for each

SEARCH_DDL: dict[str, tuple[str, ...]] = {
    "sqlite": (
        "CREATE VIRTUAL TABLE passage_fts USING fts5("
        "stems, content='passage', content_rowid='id', tokenize='unicode61 remove_diacritics 0')",
        "CREATE TRIGGER passage_fts_added AFTER INSERT ON passage BEGIN "
        "INSERT INTO passage_fts(rowid, stems) VALUES (new.id, new.stems); END",
        "CREATE TRIGGER passage_fts_removed AFTER DELETE ON passage BEGIN "
        "INSERT INTO passage_fts(passage_fts, rowid, stems) VALUES ('delete', old.id, old.stems); END",
        "CREATE TRIGGER passage_fts_changed AFTER UPDATE ON passage BEGIN "
        "INSERT INTO passage_fts(passage_fts, rowid, stems) VALUES ('delete', old.id, old.stems); "
        "INSERT INTO passage_fts(rowid, stems) VALUES (new.id, new.stems); END",
    ),
    # An array and not to_tsvector: PostgreSQL's parser would cut "1e5" or "v2" its own way.
    "postgresql": (
        "CREATE INDEX passage_fts_stems ON passage USING gin (string_to_array(stems, ' ')) "
        "WITH (fastupdate = off)",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NewPassage:
    """A passage to add; `stems` are space-separated."""

    heading: str
    text: str
    stems: str


async def add_passages(
    conn: AsyncConnection,
    base_id: str,
    passages: Sequence[NewPassage],
    *,
    document_id: str | None = None,
    faq_id: str | None = None,
) -> None:
    """Insert passages of one document or one FAQ entry."""
    owner = {"base_id": base_id, "document_id": document_id, "faq_id": faq_id}
    rows = [{**owner, "heading": p.heading, "text": p.text, "stems": p.stems} for p in passages]
    if rows:
        await conn.execute(insert(Passage), rows)


async def delete_passages_of_faq(conn: AsyncConnection, faq_id: str) -> None:
    """Delete the passage of a FAQ entry."""
    await conn.execute(delete(Passage).where(Passage.faq_id == faq_id))


async def delete_passages_of_document(conn: AsyncConnection, document_id: str) -> None:
    """Delete the passages of a document; the document stays and is found no more."""
    await conn.execute(delete(Passage).where(Passage.document_id == document_id))


async def count_passages(
    conn: AsyncConnection, base_ids: Sequence[str], stems: Sequence[str]
) -> dict[str, int]:
    """How many passages of the bases hold each stem; the key "" counts all of them."""
    within = Passage.base_id.in_(base_ids)
    queries = [select(literal(""), func.count()).select_from(Passage).where(within)]
    for stem in _terms(stems):
        counted = select(literal(stem), func.count()).select_from(Passage)
        queries.append(counted.where(within, _holds(conn, stem)))
    return {stem: count for stem, count in await conn.execute(union_all(*queries))}


async def search(
    conn: AsyncConnection, base_ids: Sequence[str], weights: Mapping[str, float], limit: int = 20
) -> list[Any]:
    """Passages that hold the stems of greatest summed weight, best first.

    Rows have `id`, `weight`, `heading`, `text`, `stems`, `document_id`, `document_name`, `faq_id`,
    `faq_question` and `faq_match`.
    """
    terms = _terms(list(weights))
    if not terms or not base_ids:
        return []
    hits = union_all(*(_hits(conn, base_ids, stem, weights[stem]) for stem in terms)).subquery("hits")
    total = func.sum(hits.c.weight).label("weight")
    grouped = select(hits.c.id, total).group_by(hits.c.id)
    best = grouped.order_by(total.desc(), hits.c.id).limit(limit).subquery()
    query = (
        select(
            Passage.id, best.c.weight, Passage.heading, Passage.text, Passage.stems, Passage.document_id,
            Document.name.label("document_name"), Passage.faq_id, Faq.question.label("faq_question"),
            Faq.match.label("faq_match"),
        )
        .join(best, best.c.id == Passage.id)
        .outerjoin(Document, Document.id == Passage.document_id)
        .outerjoin(Faq, Faq.id == Passage.faq_id)
        .order_by(best.c.weight.desc(), Passage.id)
    )  # fmt: skip
    return list((await conn.execute(query)).all())


def _terms(stems: Sequence[str]) -> list[str]:
    """The stems that can be in the index at all: no FTS operator gets past this."""
    return [stem for stem in dict.fromkeys(stems) if stem.isalnum()][:MOST_STEMS]


def _hits(conn: AsyncConnection, base_ids: Sequence[str], stem: str, weight: float) -> Select[int, float]:
    query = select(Passage.id, literal(float(weight)).label("weight"))
    return query.where(Passage.base_id.in_(base_ids), _holds(conn, stem))


def _holds(conn: AsyncConnection, stem: str) -> Any:
    """The condition that a passage holds a stem."""
    if conn.dialect.name == "sqlite":
        rowids = text("SELECT rowid FROM passage_fts WHERE passage_fts MATCH :term")
        return Passage.id.in_(rowids.bindparams(bindparam("term", f'"{stem}"', unique=True)))
    return func.string_to_array(Passage.stems, literal_column("' '")).op("@>")(cast([stem], ARRAY(Text)))
