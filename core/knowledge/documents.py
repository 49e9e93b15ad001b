"""Documents of a knowledge base: read from files, cut into passages, stored, searchable."""

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from core.knowledge.document_blocks import Block, markdown_blocks, text_blocks
from core.knowledge.document_child import SECONDS, Broken, Locked, TooSlow, blocks_of
from core.knowledge.document_kinds import MIMES, BadDocument, clean_name, decoded, kind_of
from core.knowledge.document_passages import passages
from core.knowledge.stems import stems
from db import knowledge
from db.passages import NewPassage, add_passages, delete_passages_of_faq

__all__ = ["BadDocument", "ReadDocument", "add_document", "index_faq", "read_document", "store_document"]

LARGEST = 20 << 20
MOST_CHARACTERS = 2_000_000


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """A document read and cut, ready to be stored."""

    name: str
    mime: str
    size: int
    digest: str
    text: str
    passages: tuple[NewPassage, ...]


def read_document(name: str, data: bytes) -> ReadDocument:
    """Read and cut a document; raises BadDocument. It takes a while: run it in a thread, outside of
    any transaction."""
    name = clean_name(name)
    if len(data) > LARGEST:
        raise BadDocument("too_big", name=name, limit=LARGEST >> 20)
    if not data.strip():
        raise BadDocument("empty", name=name)
    kind = kind_of(name, data)
    blocks = _blocks(name, data, kind)
    if not blocks:
        raise BadDocument("no_text" if kind == "pdf" else "empty", name=name)
    text = _joined(blocks)
    if len(text) > MOST_CHARACTERS:
        raise _too_long(name)
    return ReadDocument(
        name=name,
        mime=MIMES[kind],
        size=len(data),
        digest=hashlib.sha256(data).hexdigest(),
        text=text,
        passages=tuple(_passage(heading, piece) for heading, piece in passages(blocks)),
    )


async def store_document(conn: AsyncConnection, base_id: str, read: ReadDocument, managed: str = "") -> str:
    """Store a document with its passages; returns its id.

    The same bytes in the same base are one document.
    """
    known = await knowledge.document_with_digest(conn, base_id, read.digest)
    if known is not None:
        if managed and known.managed != managed:
            await knowledge.change_document(conn, known.id, managed=managed)
        return str(known.id)
    document_id = await knowledge.add_document(
        conn, base_id=base_id, name=read.name, mime=read.mime, size=read.size, digest=read.digest,
        text=read.text, managed=managed,
    )  # fmt: skip
    await add_passages(conn, base_id, read.passages, document_id=document_id)
    return document_id


async def add_document(conn: AsyncConnection, base_id: str, name: str, data: bytes, managed: str = "") -> str:
    """Read and store a document; returns its id, raises BadDocument.

    The transaction stays open while it is read: for uploads, use `read_document` first.
    """
    read = await asyncio.to_thread(read_document, name, data)
    return await store_document(conn, base_id, read, managed)


async def index_faq(
    conn: AsyncConnection, faq_id: str, base_id: str, question: str, answer: str, match: str = "close"
) -> None:
    """Make a FAQ entry searchable, again after each change of it. A pattern is no question for people:
    only its answer counts."""
    await delete_passages_of_faq(conn, faq_id)
    heading = "" if match in ("wildcard", "regex") else question
    await add_passages(conn, base_id, [_passage(heading, answer)], faq_id=faq_id)


def _blocks(name: str, data: bytes, kind: str) -> list[Block]:
    if kind == "pdf":
        return _read_apart(name, data, "core.knowledge.document_pdf")
    text = decoded(name, data, kind)
    if len(text) > MOST_CHARACTERS * (4 if kind == "html" else 1):
        raise _too_long(name)
    if kind == "html":
        return _read_apart(name, text.encode("utf-8", "ignore"), "core.knowledge.document_html")
    return markdown_blocks(text) if kind == "markdown" else text_blocks(text)


def _read_apart(name: str, data: bytes, program: str) -> list[Block]:
    try:
        return blocks_of(data, program)
    except Locked as error:
        raise BadDocument("locked", name=name) from error
    except Broken as error:
        raise BadDocument("broken", name=name) from error
    except TooSlow as error:
        raise BadDocument("too_slow", name=name, seconds=SECONDS) from error


def _too_long(name: str) -> BadDocument:
    return BadDocument("too_long", name=name, limit=f"{MOST_CHARACTERS:,}".replace(",", "\u202f"))


def _joined(blocks: Iterable[Block]) -> str:
    """The document as Markdown again, for people to read in the panel."""
    lines: list[str] = []
    trail: tuple[str, ...] = ()
    for block in blocks:
        if block.trail != trail:
            common = 0
            while common < min(len(trail), len(block.trail)) and trail[common] == block.trail[common]:
                common += 1
            for level in range(common, len(block.trail)):
                lines.append(f"{'#' * min(level + 1, 6)} {block.trail[level]}")
            trail = block.trail
        lines.append(block.text)
    return "\n\n".join(lines)


def _passage(heading: str, text: str) -> NewPassage:
    return NewPassage(heading, text, " ".join(stems(f"{heading}\n{text}")))
