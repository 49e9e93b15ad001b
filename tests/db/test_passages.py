"""The search over passages, on both databases."""

import pytest

from db import knowledge
from db.database import Database
from db.passages import NewPassage, add_passages, count_passages, delete_passages_of_faq, search

HOSTILE = (
    '"',
    "'",
    "a OR b",
    "stems:a",
    "a*",
    "NEAR(a b)",
    "-a",
    "^a",
    "(",
    "\x00",
    "\\",
    "a' OR 1=1 --",
    "",
)


@pytest.fixture
async def document(database: Database) -> str:
    async with database.transaction() as conn:
        for base in ("shop", "other"):
            await knowledge.save_base(conn, base, name=base)
        document_id = await knowledge.add_document(
            conn, base_id="shop", name="shop.md", mime="text/markdown", size=1, digest="d", text=""
        )
        passages = [
            NewPassage("Return", "t1", "return item day"),
            NewPassage("Pay", "t2", "pay item card 1e5"),
        ]
        await add_passages(conn, "shop", passages, document_id=document_id)
        faq_id = await knowledge.add_faq(conn, id="faq", base_id="other", question="Где?", answer="a")
        await add_passages(conn, "other", [NewPassage("Где?", "t3", "доставк item é v2")], faq_id=faq_id)
    return document_id


async def found(database: Database, bases: list[str], **weights: float) -> list[tuple[str, float]]:
    async with database.reading() as conn:
        return [(row.text, row.weight) for row in await search(conn, bases, weights)]


async def test_the_greatest_weight_comes_first(database: Database, document: str) -> None:
    assert await found(database, ["shop"], item=1.0, pay=2.5) == [("t2", 3.5), ("t1", 1.0)]
    assert await found(database, ["shop", "other"], item=1.0) == [("t1", 1.0), ("t2", 1.0), ("t3", 1.0)]
    assert await found(database, ["other"], доставк=1.0, pay=1.0) == [("t3", 1.0)]


@pytest.mark.parametrize("stem", ["1e5", "v2", "é", "доставк"])
async def test_stems_are_found_as_they_are(database: Database, document: str, stem: str) -> None:
    assert len(await found(database, ["shop", "other"], **{stem: 1.0})) == 1
    assert await found(database, ["shop", "other"], **{stem[:1]: 1.0, "e": 1.0}) == [] or len(stem) == 1


async def test_rows_name_their_owner(database: Database, document: str) -> None:
    async with database.reading() as conn:
        (first,) = await search(conn, ["shop"], {"pay": 1.0})
        (second,) = await search(conn, ["other"], {"item": 1.0})
    assert (first.document_id, first.document_name, first.faq_id) == (document, "shop.md", None)
    assert (second.faq_id, second.faq_question, second.document_name) == ("faq", "Где?", None)


async def test_counts_are_of_the_bases_alone(database: Database, document: str) -> None:
    async with database.reading() as conn:
        counts = await count_passages(conn, ["shop"], ["item", "pay", "доставк", "a b"])
    assert counts == {"": 2, "item": 2, "pay": 1, "доставк": 0}


async def test_hostile_terms_find_nothing(database: Database, document: str) -> None:
    assert await found(database, ["shop"], **dict.fromkeys(HOSTILE, 1.0)) == []
    assert await found(database, ["shop' OR 1=1"], item=1.0) == []
    assert await found(database, [], item=1.0) == []


async def test_what_is_deleted_is_not_found(database: Database, document: str) -> None:
    async with database.transaction() as conn:
        await knowledge.delete_document(conn, document)
        await delete_passages_of_faq(conn, "faq")
    assert await found(database, ["shop", "other"], item=1.0) == []


async def test_a_deleted_base_takes_its_passages_along(database: Database, document: str) -> None:
    async with database.transaction() as conn:
        await knowledge.delete_base(conn, "shop")
        await knowledge.delete_base(conn, "other")
    assert await found(database, ["shop", "other"], item=1.0) == []


async def test_a_question_of_many_stems_is_cut(database: Database, document: str) -> None:
    weights = {f"word{n}": 1.0 for n in range(500)}
    assert await found(database, ["shop"], item=1.0, **weights) == [("t1", 1.0), ("t2", 1.0)]
