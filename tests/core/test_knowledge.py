"""The knowledge answerer: the right passage with its source, or nothing."""

from pathlib import Path

import pytest

from core.knowledge.answerer import KnowledgeModel
from core.knowledge.demo_base import DEMO, fill_demo_base
from core.knowledge.documents import index_faq, read_document, store_document
from core.knowledge.excerpts import excerpt
from db import knowledge
from db.database import Database
from providers.errors import ErrorClass, ProviderError
from providers.types import ChatRequest, ChatTurn, Cited, Delta, Finish, Text

BOTS = """# Bots

## Add a Telegram bot

Write to BotFather, send /newbot and copy the token. Open **Bots** in the panel and paste the token.

## Restart a bot

A bot that crashed is restarted by itself. Press **Start** when it is parked.

## Groups

In a group the bot answers when it is mentioned.
"""
HOSTING = """# Hosting

## Docker

Run the container with this command:

```sh
docker compose up -d
```

## PostgreSQL

Set DATABASE_URL to the address of the server to use PostgreSQL instead of SQLite.

## Back-ups

Copy the data folder once a day; the backup holds bots, keys and conversations.
"""
RUSSIAN = """# Магазин

## Доставка

Доставка по России занимает от трёх до пяти дней и стоит 300 рублей.

## Возврат

Вернуть товар можно в течение двух недель после покупки, если он не был в употреблении.
"""


@pytest.fixture
async def model(database: Database) -> KnowledgeModel:
    async with database.transaction() as conn:
        for base, name, text in (
            ("docs", "bots.md", BOTS), ("docs", "hosting_guide.md", HOSTING), ("shop", "магазин.md", RUSSIAN)
        ):  # fmt: skip
            await knowledge.save_base(conn, base, name=base)
            await store_document(conn, base, read_document(name, text.encode()))
        question, answer = "How do I pay for an item?", "By card or in cash."
        faq = await knowledge.add_faq(conn, id="pay", base_id="shop", question=question, answer=answer)
        await index_faq(conn, faq, "shop", question, answer)
    return KnowledgeModel(database)


DOCS_QUESTIONS: tuple[tuple[str, str | None], ...] = (
    ("how do I add a telegram bot?", "Bots › Add a Telegram bot"),
    ("where do I paste the token", "Bots › Add a Telegram bot"),
    ("How can I create a new bot in Telegram", "Bots › Add a Telegram bot"),
    ("my bot crashed, what happens?", "Bots › Restart a bot"),
    ("docker", "Hosting › Docker"),
    ("How to use PostgreSQL?", "Hosting › PostgreSQL"),
    ("does it answer in groups", "Bots › Groups"),
    ("How much does shipping to the moon cost", None),
    ("what is the capital of France?", None),
    ("who won the world cup in 2018", None),
    ("write a poem about the sea", None),
    ("hello", None),
    ("Good morning! How are you?", None),
    ("thanks a lot", None),
    ("привет", None),
    ("Добрый день!", None),
    ("спасибо большое", None),
    ("how do I?", None),
    ("", None),
    ('" OR stems:* NEAR(', None),
    ("\ud800\x00", None),
)


async def test_the_best_passage_of_the_docs(model: KnowledgeModel) -> None:
    for question, heading in DOCS_QUESTIONS:
        found = await model.best(question, ["docs"])
        assert (found and found.heading) == heading, question


SHOP_QUESTIONS: tuple[tuple[str, str | None], ...] = (
    ("Сколько стоит доставка?", "Магазин › Доставка"),
    ("сколько дней идёт доставка по россии", "Магазин › Доставка"),
    ("как мне вернуть товар", "Магазин › Возврат"),
    ("pay for items", "How do I pay for an item?"),
    ("столица Франции", None),
    ("как приготовить борщ", None),
)


async def test_the_best_passage_of_the_shop(model: KnowledgeModel) -> None:
    for question, heading in SHOP_QUESTIONS:
        found = await model.best(question, ["shop"])
        assert (found and found.heading) == heading, question


async def test_other_bases_are_not_searched(model: KnowledgeModel) -> None:
    assert await model.best("telegram bot", ["shop"]) is None
    assert await model.best("telegram bot", []) is None
    assert await model.best("telegram bot", ["shop", "docs"]) is not None


async def answer(model: KnowledgeModel, question: str, *scope: str, language: str = "en") -> list[Delta]:
    turns = (ChatTurn("system", "s"), ChatTurn("user", "docker"), ChatTurn("assistant", "a"))
    request = ChatRequest((*turns, ChatTurn("user", question)), language=language, scope=scope)
    return [delta async for delta in model.stream(request)]


async def test_an_answer_names_its_source(model: KnowledgeModel) -> None:
    *texts, cited, end = await answer(model, "how do I use postgresql", "docs", language="ru")
    said = "".join(delta.text for delta in texts if isinstance(delta, Text))
    assert said.startswith("Set DATABASE_URL")
    assert said.endswith("\n\nИсточник: Hosting › PostgreSQL (hosting\\_guide.md)")
    assert isinstance(cited, Cited) and cited.title == "Hosting › PostgreSQL (hosting_guide.md)"
    assert (cited.kind, end) == ("document", Finish("stop"))


async def test_a_faq_entry_is_cited_as_such(model: KnowledgeModel) -> None:
    first, source, cited, _end = await answer(model, "can I pay for my item?", "shop")
    assert first == Text("By card or in cash.")
    assert source == Text("\n\nSource: FAQ: How do I pay for an item?")
    assert cited == Cited("faq", "pay", "FAQ: How do I pay for an item?")


@pytest.mark.parametrize("question", ["what is the capital of France?", "hello", ""])
async def test_what_it_does_not_know_it_does_not_answer(model: KnowledgeModel, question: str) -> None:
    with pytest.raises(ProviderError) as caught:
        await answer(model, question, "docs")
    assert caught.value.error_class is ErrorClass.EMPTY


async def test_candidates_carry_scores(model: KnowledgeModel) -> None:
    found = await model.candidates("restart a crashed bot", ["docs"], 3)
    assert found[0].heading == "Bots › Restart a bot" and found[0].sure
    assert 1 < len(found) <= 3 and all(0 < each.score <= 1.0001 for each in found)


async def test_a_question_of_a_megabyte_is_no_burden(model: KnowledgeModel) -> None:
    assert await model.best("telegram bot token " * 50_000, ["docs"]) is not None


def test_a_short_passage_is_its_own_excerpt() -> None:
    assert excerpt("short", frozenset()) == "short"


def test_an_excerpt_is_the_part_that_answers() -> None:
    blocks = [f"About subject{n}. " + "Filler words here. " * 12 for n in range(4)]
    found = excerpt("\n\n".join(blocks), frozenset(["subject3"]))
    assert "subject3" in found and "subject0" not in found and len(found) <= 700


def test_an_excerpt_keeps_code_closed() -> None:
    code = "```py\n" + "\n\n".join(f"call_number_{n}()" for n in range(40)) + "\n```"
    found = excerpt(f"Intro.\n\n{code}", frozenset(["35"]))
    assert found.startswith("```py\n") and found.endswith("\n```") and "call_number_35()" in found
    assert len(found) <= 700


async def test_the_demo_base_follows_the_docs(database: Database, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (tmp_path / "README.md").write_text("# Botyard\n\nA fleet of bots.")
    (docs / "bots.md").write_text(BOTS)
    (docs / "old.md").write_text("# Old\n\nObsolete words.")
    async with database.transaction() as conn:
        assert await fill_demo_base(conn, docs)
        assert not await fill_demo_base(conn, docs)
        await store_document(conn, DEMO, read_document("mine.txt", b"People's own pelican."))
    (docs / "old.md").unlink()
    (docs / "bots.md").write_text(BOTS.replace("BotFather", "FatherBot"))
    async with database.transaction() as conn:
        assert await fill_demo_base(conn, docs)
        names = [row.name for row in await knowledge.documents_of(conn, DEMO)]
    assert sorted(names) == ["README.md", "bots.md", "mine.txt"]
    model = KnowledgeModel(database)
    assert (found := await model.best("how do I add a telegram bot", [DEMO])) and "FatherBot" in found.text
    assert (found := await model.best("что такое botyard", [DEMO])) and found.kind == "faq"
    assert await model.best("pelican", [DEMO]) and await model.best("obsolete", [DEMO]) is None


async def test_the_demo_base_goes_without_a_document_that_has_no_text(
    database: Database, tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "bare.md").write_text("# Only a heading\n")
    (tmp_path / "docs" / "good.md").write_text("# Harbours\n\nShips sleep here.\n")
    async with database.transaction() as conn:
        await fill_demo_base(conn, tmp_path / "docs")
        names = [row.name for row in await knowledge.documents_of(conn, "demo")]
    assert names == ["good.md"]
