"""Knowledge bases: their FAQ entries, documents and searchable passages (rows only).

The search over passages is in db/passages.py.
"""

from typing import Any

from sqlalchemy import (
    Float,
    ForeignKey,
    Integer,
    String,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)  # fmt: skip
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from db.base import Row, new_id, now


class Base(Row):
    """A knowledge base. `id` is its slug; instances refer to it by `channel.base_ids`."""

    __tablename__ = "base"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    managed: Mapped[str] = mapped_column(String(16), default="")
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)


class Faq(Row):
    """A question with its answer; `match` is exact, wildcard, regex or close."""

    __tablename__ = "faq"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    base_id: Mapped[str] = mapped_column(ForeignKey("base.id", ondelete="CASCADE"), index=True)
    question: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
    match: Mapped[str] = mapped_column(String(16), default="close")
    managed: Mapped[str] = mapped_column(String(16), default="")
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)


class Document(Row):
    """An uploaded or filed document; its text is cut into passages. `digest` is sha256 of the bytes."""

    __tablename__ = "document"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    base_id: Mapped[str] = mapped_column(ForeignKey("base.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    mime: Mapped[str] = mapped_column(String(100))
    size: Mapped[int] = mapped_column(Integer)
    digest: Mapped[str] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)
    managed: Mapped[str] = mapped_column(String(16), default="")
    created_at: Mapped[float] = mapped_column(Float)
    updated_at: Mapped[float] = mapped_column(Float)


class Passage(Row):
    """A piece of a document (or a FAQ entry) as the search sees it; `stems` are space-separated."""

    __tablename__ = "passage"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    base_id: Mapped[str] = mapped_column(ForeignKey("base.id", ondelete="CASCADE"), index=True)
    document_id: Mapped[str | None] = mapped_column(ForeignKey("document.id", ondelete="CASCADE"), index=True)
    faq_id: Mapped[str | None] = mapped_column(ForeignKey("faq.id", ondelete="CASCADE"), index=True)
    heading: Mapped[str] = mapped_column(Text, default="")
    text: Mapped[str] = mapped_column(Text)
    stems: Mapped[str] = mapped_column(Text)


async def all_bases(conn: AsyncConnection) -> list[Any]:
    """Every base with its counts: columns of Base plus `faqs` and `documents`."""
    faqs = select(func.count()).where(Faq.base_id == Base.id).scalar_subquery()
    documents = select(func.count()).where(Document.base_id == Base.id).scalar_subquery()
    query = select(Base.__table__, faqs.label("faqs"), documents.label("documents"))
    return list((await conn.execute(query.order_by(Base.created_at, Base.id))).all())


async def get_base(conn: AsyncConnection, base_id: str) -> Any | None:
    """One base by its slug."""
    return (await conn.execute(select(Base.__table__).where(Base.id == base_id))).one_or_none()


async def save_base(conn: AsyncConnection, base_id: str, **values: Any) -> None:
    """Insert or change a base."""
    values["updated_at"] = now()
    changed = await conn.execute(update(Base).where(Base.id == base_id).values(**values))
    if not changed.rowcount:
        await conn.execute(insert(Base).values(id=base_id, created_at=now(), **values))


async def delete_base(conn: AsyncConnection, base_id: str) -> None:
    """Delete a base with all its entries."""
    await conn.execute(delete(Base).where(Base.id == base_id))


FAQS = (
    select(Faq.__table__)
    .where(Faq.base_id.in_(bindparam("bases", expanding=True)))
    .order_by(Faq.created_at, Faq.id)
)


async def faqs_of(conn: AsyncConnection, base_ids: list[str]) -> list[Any]:
    """FAQ entries of some bases, oldest first."""
    return list((await conn.execute(FAQS, {"bases": list(base_ids)})).all())


async def get_faq(conn: AsyncConnection, faq_id: str) -> Any | None:
    """One FAQ entry."""
    return (await conn.execute(select(Faq.__table__).where(Faq.id == faq_id))).one_or_none()


async def add_faq(conn: AsyncConnection, **values: Any) -> str:
    """Insert a FAQ entry; returns its id."""
    row = {"id": new_id(), "created_at": now(), "updated_at": now(), **values}
    await conn.execute(insert(Faq).values(row))
    return str(row["id"])


async def change_faq(conn: AsyncConnection, faq_id: str, **values: Any) -> None:
    """Change a FAQ entry."""
    await conn.execute(update(Faq).where(Faq.id == faq_id).values(updated_at=now(), **values))


async def delete_faq(conn: AsyncConnection, faq_id: str) -> None:
    """Delete a FAQ entry and its passage."""
    await conn.execute(delete(Faq).where(Faq.id == faq_id))


async def documents_of(conn: AsyncConnection, base_id: str) -> list[Any]:
    """Documents of a base without their text, oldest first."""
    columns = [c for c in Document.__table__.c if c.name != "text"]
    query = select(*columns).where(Document.base_id == base_id)
    return list((await conn.execute(query.order_by(Document.created_at, Document.id))).all())


async def get_document(conn: AsyncConnection, document_id: str) -> Any | None:
    """One document with its text."""
    query = select(Document.__table__).where(Document.id == document_id)
    return (await conn.execute(query)).one_or_none()


async def add_document(conn: AsyncConnection, **values: Any) -> str:
    """Insert a document; returns its id. Its passages are added by db/passages.py."""
    row = {"id": new_id(), "created_at": now(), "updated_at": now(), **values}
    await conn.execute(insert(Document).values(row))
    return str(row["id"])


async def delete_document(conn: AsyncConnection, document_id: str) -> None:
    """Delete a document and its passages."""
    await conn.execute(delete(Document).where(Document.id == document_id))


async def document_with_digest(conn: AsyncConnection, base_id: str, digest: str) -> Any | None:
    """The document of a base that has these very bytes, without its text."""
    columns = [c for c in Document.__table__.c if c.name != "text"]
    query = select(*columns).where(Document.base_id == base_id, Document.digest == digest)
    return (await conn.execute(query.order_by(Document.id).limit(1))).one_or_none()


async def change_document(conn: AsyncConnection, document_id: str, **values: Any) -> None:
    """Change a document's row (its name or who manages it, not its text)."""
    await conn.execute(update(Document).where(Document.id == document_id).values(updated_at=now(), **values))
