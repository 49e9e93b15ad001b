"""Knowledge bases with their FAQ and documents."""

import asyncio
from typing import Any

from core.configuration.changes import PANEL, Changes, changeable, found, refuse_use
from core.configuration.configs import BaseInput, FaqInput, NewBase
from core.configuration.errors import ConfigurationError, Conflict
from core.configuration.views import Base, Document, Faq, managed_of
from core.knowledge.documents import BadDocument, ReadDocument, index_faq, read_document, store_document
from db import channels, knowledge


class DocumentRefused(ConfigurationError):
    """A document that cannot be taken in."""

    def __init__(self, error: BadDocument) -> None:
        super().__init__("document_refused", en=error.text("en"), ru=error.text("ru"))


class Bases:
    """The knowledge bases; ids are slugs."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def all(self) -> list[Base]:
        """All of them with their counts, oldest first."""
        async with self._changes.database.reading() as conn:
            return [_base(row) for row in await knowledge.all_bases(conn)]

    async def get(self, base_id: str) -> Base:
        """One; raises NotFound."""
        one = next((base for base in await self.all() if base.id == base_id), None)
        view: Base = found(one, "base", base_id)
        return view

    async def create(self, actor: str, new: NewBase) -> Base:
        """Make an empty one. Raises Conflict."""
        async with self._changes.begin(actor) as change:
            if await knowledge.get_base(change.conn, new.id):
                raise Conflict("taken", what="base", id=new.id)
            await knowledge.save_base(change.conn, new.id, name=new.name or new.id, managed=PANEL)
            await change.audit("base.create", new.id)
        return await self.get(new.id)

    async def change(self, actor: str, base_id: str, config: BaseInput) -> Base:
        """Rename it. Raises NotFound or ManagedByFile."""
        async with self._changes.begin(actor) as change:
            changeable(await knowledge.get_base(change.conn, base_id), "base", base_id)
            await knowledge.save_base(change.conn, base_id, name=config.name or base_id, managed=PANEL)
            await change.audit("base.change", base_id)
        return await self.get(base_id)

    async def delete(self, actor: str, base_id: str) -> None:
        """Delete it with all its entries; refused while an instance names it."""
        async with self._changes.begin(actor) as change:
            changeable(await knowledge.get_base(change.conn, base_id), "base", base_id)
            rows = await channels.all_channels(change.conn)
            refuse_use("base", base_id, [row.slug for row in rows if base_id in row.base_ids])
            await knowledge.delete_base(change.conn, base_id)
            await change.audit("base.delete", base_id)


class Faqs:
    """The FAQ entries of the bases."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def all(self, base_id: str) -> list[Faq]:
        """The entries of a base, oldest first; raises NotFound."""
        async with self._changes.database.reading() as conn:
            found(await knowledge.get_base(conn, base_id), "base", base_id)
            return [_faq(row) for row in await knowledge.faqs_of(conn, [base_id])]

    async def get(self, faq_id: str) -> Faq:
        """One; raises NotFound."""
        async with self._changes.database.reading() as conn:
            return _faq(found(await knowledge.get_faq(conn, faq_id), "faq", faq_id))

    async def create(self, actor: str, base_id: str, new: FaqInput) -> Faq:
        """Add an entry to a base; a base of the fleet file may have entries of the panel too."""
        async with self._changes.begin(actor) as change:
            found(await knowledge.get_base(change.conn, base_id), "base", base_id)
            values = {"question": new.question, "answer": new.answer, "match": new.match}
            faq_id = await knowledge.add_faq(change.conn, base_id=base_id, managed=PANEL, **values)
            await index_faq(change.conn, faq_id, base_id, **values)
            await change.audit("faq.create", faq_id, base=base_id)
        return await self.get(faq_id)

    async def change(self, actor: str, faq_id: str, config: FaqInput) -> Faq:
        """Replace an entry. Raises NotFound or ManagedByFile."""
        async with self._changes.begin(actor) as change:
            row = changeable(await knowledge.get_faq(change.conn, faq_id), "faq", faq_id)
            values = {"question": config.question, "answer": config.answer, "match": config.match}
            await knowledge.change_faq(change.conn, faq_id, managed=PANEL, **values)
            await index_faq(change.conn, faq_id, row.base_id, **values)
            await change.audit("faq.change", faq_id, base=row.base_id)
        return await self.get(faq_id)

    async def delete(self, actor: str, faq_id: str) -> None:
        """Delete an entry. Raises NotFound or ManagedByFile."""
        async with self._changes.begin(actor) as change:
            row = changeable(await knowledge.get_faq(change.conn, faq_id), "faq", faq_id)
            await knowledge.delete_faq(change.conn, faq_id)
            await change.audit("faq.delete", faq_id, base=row.base_id)


class Documents:
    """The documents of the bases."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def all(self, base_id: str) -> list[Document]:
        """The documents of a base, oldest first; raises NotFound."""
        async with self._changes.database.reading() as conn:
            found(await knowledge.get_base(conn, base_id), "base", base_id)
            return [_document(row) for row in await knowledge.documents_of(conn, base_id)]

    async def get(self, document_id: str) -> Document:
        """One; raises NotFound."""
        return _document(await self._row(document_id))

    async def text(self, document_id: str) -> str:
        """A document's text as it was read; raises NotFound."""
        return str((await self._row(document_id)).text)

    async def add(self, actor: str, base_id: str, name: str, data: bytes) -> Document:
        """Read and store a document. Raises NotFound or DocumentRefused."""
        async with self._changes.database.reading() as conn:
            found(await knowledge.get_base(conn, base_id), "base", base_id)
        read = await _read(name, data)
        async with self._changes.begin(actor) as change:
            found(await knowledge.get_base(change.conn, base_id), "base", base_id)
            document_id = await store_document(change.conn, base_id, read)
            await change.audit("document.create", document_id, base=base_id, name=read.name)
        return await self.get(document_id)

    async def delete(self, actor: str, document_id: str) -> None:
        """Delete a document. Raises NotFound or ManagedByFile."""
        async with self._changes.begin(actor) as change:
            row = await knowledge.get_document(change.conn, document_id)
            row = changeable(row, "document", document_id)
            await knowledge.delete_document(change.conn, document_id)
            await change.audit("document.delete", document_id, base=row.base_id, name=row.name)

    async def _row(self, document_id: str) -> Any:
        async with self._changes.database.reading() as conn:
            return found(await knowledge.get_document(conn, document_id), "document", document_id)


async def _read(name: str, data: bytes) -> ReadDocument:
    try:
        return await asyncio.to_thread(read_document, name, data)
    except BadDocument as error:
        raise DocumentRefused(error) from error


def _base(row: Any) -> Base:
    same = ("id", "name", "faqs", "documents", "created_at", "updated_at")
    return Base(managed=managed_of(row), **{name: getattr(row, name) for name in same})


def _faq(row: Any) -> Faq:
    same = ("id", "question", "answer", "match", "created_at", "updated_at")
    return Faq(base=row.base_id, managed=managed_of(row), **{name: getattr(row, name) for name in same})


def _document(row: Any) -> Document:
    same = ("id", "name", "mime", "size", "digest", "created_at", "updated_at")
    return Document(base=row.base_id, managed=managed_of(row), **{name: getattr(row, name) for name in same})
