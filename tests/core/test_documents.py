"""Documents: read by what they are, cut into passages, stored once."""

import time
import zlib

import pytest

from core.knowledge.document_kinds import clean_name
from core.knowledge.documents import BadDocument, add_document, index_faq, read_document
from db import knowledge
from db.database import Database
from db.passages import search

GUIDE = """---
title: ignored
---
# Install
<!-- hidden -->
![badge](https://x/y.svg)

Get it with [the guide](guide.md) or [the site](https://example.com).

## Docker

Run this:

```sh
# not a heading

docker compose up
```

Setext
------

Last <b>words</b>.
"""


def pdf(*texts: str) -> bytes:
    """A small PDF with a page for each text."""
    count = len(texts)
    kids = " ".join(f"{3 + 2 * n} 0 R" for n in range(count))
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", f"<</Type/Pages/Count {count}/Kids[{kids}]>>".encode()]
    font = "<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>"
    for n, text in enumerate(texts):
        page = f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents {4 + 2 * n} 0 R/Resources{font}>>"
        stream = zlib.compress(f"BT /F1 12 Tf 20 200 Td ({text}) Tj ET".encode())
        head = f"<</Length {len(stream)}/Filter/FlateDecode>>\nstream\n".encode()
        objects += [page.encode(), head + stream + b"\nendstream"]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    end = f"xref\n0 {size}\n0000000000 65535 f \n{table}trailer<</Size {size}/Root 1 0 R>>\n"
    return out + f"{end}startxref\n{len(out)}\n%%EOF".encode()


def cut(name: str, data: bytes) -> list[tuple[str, str]]:
    return [(passage.heading, passage.text) for passage in read_document(name, data).passages]


def test_markdown_is_cut_at_its_headings() -> None:
    assert cut("guide.md", GUIDE.encode()) == [
        ("Install", "Get it with the guide or [the site](https://example.com)."),
        ("Install › Docker", "Run this:\n\n```sh\n# not a heading\n\ndocker compose up\n```"),
        ("Install › Setext", "Last words."),
    ]


def test_the_stems_of_a_passage_hold_its_headings() -> None:
    assert "docker" in read_document("guide.md", GUIDE.encode()).passages[1].stems.split()


def test_html_is_what_a_reader_sees() -> None:
    page = """<!doctype html><html><head><title>T</title><style>x{}</style></head><body><nav>Menu</nav>
    <h1>Shop</h1><p>We <b>sell</b>
    things &amp; more.<script>alert(1)</script><ul><li>One<li>Two</ul><h2>Code</h2><pre>a\n  b</pre>
    <table><tr><th>A<th>B<tr><td>1<td>2</table></body>"""
    assert cut("page.HTML", page.encode()) == [
        ("Shop", "We sell things & more.\n\n- One\n- Two"),
        ("Shop › Code", "```\na\n  b\n```\n\nA | B\n1 | 2"),
    ]


def test_pdf_pages_become_headings() -> None:
    assert cut("manual.pdf", pdf("Delivery takes 3 days", "Returns are free")) == [
        ("p. 1", "Delivery takes 3 days"),
        ("p. 2", "Returns are free"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1251"])
def test_encodings_are_recognised(encoding: str) -> None:
    text = "Доставка занимает три дня. Возврат бесплатный, по почте"
    assert read_document("a.txt", text.encode(encoding)).text == text


def test_western_text_is_not_taken_for_russian() -> None:
    assert read_document("a.txt", "Café à la crème, señor".encode("cp1252")).text == "Café à la crème, señor"


@pytest.mark.parametrize(
    ("name", "data", "key"),
    [
        ("a.docx", b"PK\x03\x04", "unknown_type"),
        ("a", b"text", "unknown_type"),
        ("a.txt", b"\x89PNG\r\n\x1a\n\x00\x00", "mismatch"),
        ("a.md", b"PK\x03\x04zip", "mismatch"),
        ("a.txt", b"%PDF-1.7 ...", "mismatch"),
        ("a.md", b"<!DOCTYPE html><html><p>x", "mismatch"),
        ("a.pdf", b"<html><p>x</p></html>", "mismatch"),
        ("a.pdf", b"only words", "mismatch"),
        ("a.html", b"only words", "mismatch"),
        ("a.pdf", b"\x00\x01\x02\x03", "broken"),
        ("a.pdf", b"%PDF-1.4 and then nothing", "broken"),
        ("a.pdf", pdf(""), "no_text"),
        ("a.txt", b"a\x00b\x01", "not_text"),
        ("a.txt", b"\x01\x02\x03", "not_text"),
        ("a.txt", b"", "empty"),
        ("a.txt", b" \n\t ", "empty"),
        ("a.md", b"# Only a heading", "empty"),
        ("a.html", b"<html><script>x()</script></html>", "empty"),
        ("a.txt", b"a " * 1_000_001, "too_long"),
        ("a.txt", b"a" * ((20 << 20) + 1), "too_big"),
    ],
)
def test_a_document_that_is_not_what_its_name_says_is_refused(name: str, data: bytes, key: str) -> None:
    with pytest.raises(BadDocument) as caught:
        read_document(name, data)
    assert caught.value.key == key
    assert caught.value.text("en").startswith(f"{name}: ") and caught.value.text("ru").startswith(f"{name}: ")
    assert caught.value.text("en") != caught.value.text("ru")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../etc/a.md", "a.md"),
        ("C:\\docs\\b.txt", "b.txt"),
        ("a\x00\n\u202eb.md", "ab.md"),
        ("", "document"),
        ("x" * 300 + ".md", "x" * 197 + ".md"),
    ],
)
def test_names_are_cleaned(given: str, name: str) -> None:
    assert clean_name(given) == name


@pytest.mark.parametrize(
    "text",
    [
        "A sentence of some words. " * 200,
        "word" * 2000,
        "```\n" + "line of code\n" * 300 + "```",
        "- an item of a list\n" * 200,
        "| a | b |\n|---|---|\n" + "| one | two |\n" * 200,
        "\n\n".join(f"Paragraph {n}. " + "More words. " * 20 for n in range(20)),
    ],
)
def test_passages_have_the_size_of_an_answer(text: str) -> None:
    passages = [passage.text for passage in read_document("a.md", text.encode()).passages]
    assert len(passages) > 2 and max(map(len, passages)) <= 902
    assert sum(map(len, passages)) > 0.9 * len(text.strip())
    assert all(passage.count("```") % 2 == 0 for passage in passages)


def test_every_piece_of_a_table_has_its_head() -> None:
    table = "| name | price |\n|---|---|\n" + "\n".join(f"| item {n} | {n} |" for n in range(200))
    assert all(
        text.startswith("| name | price |\n|---|---|\n| item") for _, text in cut("a.md", table.encode())
    )


@pytest.mark.parametrize("junk", ["<!--", "[", "![a](", "[![a](", "[a](", "# ", "```\n", "| "])
def test_hostile_markdown_is_read_quickly(junk: str) -> None:
    begun = time.process_time()
    read_document("a.md", b"words\n\n" + junk.encode() * 100_000)
    assert time.process_time() - begun < 2


async def test_the_same_bytes_are_one_document(database: Database) -> None:
    async with database.transaction() as conn:
        await knowledge.save_base(conn, "a", name="A")
        await knowledge.save_base(conn, "b", name="B")
        first = await add_document(conn, "a", "guide.md", GUIDE.encode())
        assert await add_document(conn, "a", "copy.md", GUIDE.encode(), managed="file") == first
        assert await add_document(conn, "b", "guide.md", GUIDE.encode()) != first
    async with database.reading() as conn:
        (row,) = await knowledge.documents_of(conn, "a")
        hits = await search(conn, ["a"], {"docker": 1.0})
    assert (row.name, row.mime, row.managed) == ("guide.md", "text/markdown", "file")
    assert [hit.document_id for hit in hits] == [first]


async def test_a_changed_faq_entry_is_found_by_its_new_words(database: Database) -> None:
    async with database.transaction() as conn:
        await knowledge.save_base(conn, "a", name="A")
        faq = await knowledge.add_faq(conn, base_id="a", question="old", answer="first")
        await index_faq(conn, faq, "a", "old", "first")
        await index_faq(conn, faq, "a", "fresh", "second")
        found = await search(conn, ["a"], {"fresh": 1.0, "old": 1.0})
    assert [(row.heading, row.text) for row in found] == [("fresh", "second")]
