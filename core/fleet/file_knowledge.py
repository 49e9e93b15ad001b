"""The knowledge of a fleet file: FAQ entries and documents kept in line with their rows."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.configuration.changes import FILE, GONE
from core.configuration.errors import Problem
from core.fleet.file_entries import FaqEntry, FiledDocument, Fleet
from core.fleet.file_reading import FleetErrors
from core.knowledge.documents import BadDocument, ReadDocument, index_faq, read_document, store_document
from db import knowledge
from db.base import now
from db.database import Database
from db.passages import delete_passages_of_document, delete_passages_of_faq

FLEET_BASE = "fleet"  # of entries without a base; every instance of the file has it
ORDER_STEP = 0.001  # seconds between entries: the first of two that match wins, so order is kept

ReadDocuments = Mapping[tuple[str, str], ReadDocument]  # by base and digest


async def read_new_documents(database: Database, fleet: Fleet) -> ReadDocuments:
    """Read and cut the documents that are not stored yet; raises FleetErrors. It takes a while, so it is
    done before the transaction."""
    async with database.reading() as conn:
        stored = {
            (base, row.digest)
            for base in {document.base for document in fleet.documents}
            for row in await knowledge.documents_of(conn, base)
            if row.managed != GONE
        }
    read: dict[tuple[str, str], ReadDocument] = {}
    problems: list[Problem] = []
    for position, document in enumerate(fleet.documents):
        if (document.base, document.digest) in stored:
            continue
        try:
            found = await asyncio.to_thread(_read, document)
        except BadDocument as error:
            values = {"en": error.text("en"), "ru": error.text("ru")}
            problems.append(Problem(f"documents[{position}].path", "document", values))
        except OSError as error:
            place, values = f"documents[{position}].path", {"reason": str(error.strerror)}
            problems.append(Problem(place, "path_unreadable", values))
        else:
            read[document.base, document.digest] = found
    if problems:
        raise FleetErrors(problems)
    return read


def _read(document: FiledDocument) -> ReadDocument:
    return read_document(document.path.name, document.path.read_bytes())


class FiledKnowledge:
    """One run over the FAQ and documents; `changed` names what it changed."""

    def __init__(self, conn: AsyncConnection) -> None:
        self.changed: list[str] = []
        self._conn = conn

    async def apply(self, fleet: Fleet, documents: ReadDocuments) -> None:
        """Add, change and mark."""
        bases = [row.id for row in await knowledge.all_bases(self._conn)]
        await self._faq(fleet.faq, await knowledge.faqs_of(self._conn, bases))
        for base in bases:
            wanted = [document for document in fleet.documents if document.base == base]
            await self._documents(wanted, await knowledge.documents_of(self._conn, base), documents)

    async def _faq(self, entries: Sequence[FaqEntry], rows: Sequence[Any]) -> None:
        filed = {(row.base_id, row.question): row for row in rows if row.managed in (FILE, GONE)}
        begin = now()
        last = 0.0
        for position, entry in enumerate(entries):
            base = str(entry.base)
            row = filed.pop((base, entry.question), None)
            created = row.created_at if row is not None and row.created_at > last else 0.0
            values = {"question": entry.question, "answer": entry.answer, "match": entry.match}
            last = created or max(begin + position * ORDER_STEP, last + ORDER_STEP)
            if row is not None and _same(row, {**values, "managed": FILE, "created_at": last}):
                continue
            self.changed.append(f"faq[{position}]")
            if row is None:
                faq_id = await knowledge.add_faq(
                    self._conn, base_id=base, managed=FILE, **values, created_at=last
                )
            else:
                faq_id = row.id
                await knowledge.change_faq(self._conn, faq_id, managed=FILE, **values, created_at=last)
            await index_faq(self._conn, faq_id, base, **values)
        for row in filed.values():
            if row.managed == FILE:
                await knowledge.change_faq(self._conn, row.id, managed=GONE)
                await delete_passages_of_faq(self._conn, row.id)
                self.changed.append(f"faq {row.id}")

    async def _documents(
        self, wanted: Sequence[FiledDocument], rows: Sequence[Any], documents: ReadDocuments
    ) -> None:
        digests = {document.digest for document in wanted}
        names = {document.path.name for document in wanted}
        by_digest = {row.digest: row for row in rows}
        for row in rows:
            replaced = row.name in names and row.digest not in digests
            if row.managed == FILE and replaced:
                await knowledge.delete_document(self._conn, row.id)  # its new text follows
            elif row.managed == FILE and row.digest not in digests:
                await knowledge.change_document(self._conn, row.id, managed=GONE)
                await delete_passages_of_document(self._conn, row.id)
                self.changed.append(f"documents {row.name}")
        for document in wanted:
            row = by_digest.get(document.digest)
            if row is not None and row.managed != GONE:
                continue  # stored already, by the file or in the panel: the same bytes are one document
            read = documents.get((document.base, document.digest))
            if read is None:
                continue  # deleted in the panel since it was looked for: the next time it is read again
            if row is not None:
                await knowledge.delete_document(self._conn, row.id)
            await store_document(self._conn, document.base, read, FILE)
            self.changed.append(f"documents {document.path.name}")


def _same(row: Any, values: dict[str, Any]) -> bool:
    return all(getattr(row, name) == value for name, value in values.items())
