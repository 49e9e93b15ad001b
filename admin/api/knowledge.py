"""Knowledge bases, their FAQ and their documents."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, UploadFile
from pydantic import BaseModel, Field

from admin.api.calls import Actor, Config, Id, Upload, api_router
from core.configuration.configs import BaseInput, FaqInput, NewBase
from core.configuration.values import Readable
from core.configuration.views import Base, Document, Faq

router = APIRouter()
bases = api_router("knowledge-bases")
faq = api_router("faq")
documents = api_router("documents")
uploads = api_router("documents", Upload)


class TextDocument(BaseModel):
    """A document as text; the ending of its name says what it is (.md, .txt, .html)."""

    name: Annotated[str, Field(min_length=1, max_length=200), Readable]
    text: Annotated[str, Field(min_length=1), Readable]


class DocumentText(BaseModel):
    """What was read of a document."""

    text: str


@bases.get("/knowledge-bases")
async def list_bases(configuration: Config) -> Sequence[Base]:
    """Every knowledge base with its counts, oldest first."""
    return await configuration.bases.all()


@bases.post("/knowledge-bases", status_code=201)
async def create_base(new: NewBase, configuration: Config, actor: Actor) -> Base:
    """Make an empty knowledge base."""
    return await configuration.bases.create(actor, new)


@bases.get("/knowledge-bases/{base_id}")
async def get_base(base_id: Id, configuration: Config) -> Base:
    """One knowledge base."""
    return await configuration.bases.get(base_id)


@bases.put("/knowledge-bases/{base_id}")
async def change_base(base_id: Id, config: BaseInput, configuration: Config, actor: Actor) -> Base:
    """Rename a knowledge base."""
    return await configuration.bases.change(actor, base_id, config)


@bases.delete("/knowledge-bases/{base_id}", status_code=204)
async def delete_base(base_id: Id, configuration: Config, actor: Actor) -> None:
    """Delete a knowledge base that no instance names, with all its entries."""
    await configuration.bases.delete(actor, base_id)


@faq.get("/knowledge-bases/{base_id}/faq")
async def list_faq(base_id: Id, configuration: Config) -> Sequence[Faq]:
    """The FAQ entries of a base, oldest first."""
    return await configuration.faqs.all(base_id)


@faq.post("/knowledge-bases/{base_id}/faq", status_code=201)
async def create_faq(base_id: Id, new: FaqInput, configuration: Config, actor: Actor) -> Faq:
    """Add a FAQ entry."""
    return await configuration.faqs.create(actor, base_id, new)


@faq.get("/faq/{faq_id}")
async def get_faq(faq_id: Id, configuration: Config) -> Faq:
    """One FAQ entry."""
    return await configuration.faqs.get(faq_id)


@faq.put("/faq/{faq_id}")
async def change_faq(faq_id: Id, config: FaqInput, configuration: Config, actor: Actor) -> Faq:
    """Replace a FAQ entry."""
    return await configuration.faqs.change(actor, faq_id, config)


@faq.delete("/faq/{faq_id}", status_code=204)
async def delete_faq(faq_id: Id, configuration: Config, actor: Actor) -> None:
    """Delete a FAQ entry."""
    await configuration.faqs.delete(actor, faq_id)


@documents.get("/knowledge-bases/{base_id}/documents")
async def list_documents(base_id: Id, configuration: Config) -> Sequence[Document]:
    """The documents of a base, oldest first."""
    return await configuration.documents.all(base_id)


@uploads.post("/knowledge-bases/{base_id}/documents", status_code=201)
async def upload_document(base_id: Id, file: UploadFile, configuration: Config, actor: Actor) -> Document:
    """Add a file (multipart, field `file`): Markdown, text, HTML or PDF, at most 20 MB."""
    return await configuration.documents.add(actor, base_id, file.filename or "", await file.read())


@documents.post("/knowledge-bases/{base_id}/documents/text", status_code=201)
async def add_text(base_id: Id, new: TextDocument, configuration: Config, actor: Actor) -> Document:
    """Add a document as text."""
    return await configuration.documents.add(actor, base_id, new.name, new.text.encode())


@documents.get("/documents/{document_id}")
async def get_document(document_id: Id, configuration: Config) -> Document:
    """One document without its text."""
    return await configuration.documents.get(document_id)


@documents.get("/documents/{document_id}/text")
async def get_text(document_id: Id, configuration: Config) -> DocumentText:
    """A document's text as it was read."""
    return DocumentText(text=await configuration.documents.text(document_id))


@documents.delete("/documents/{document_id}", status_code=204)
async def delete_document(document_id: Id, configuration: Config, actor: Actor) -> None:
    """Delete a document."""
    await configuration.documents.delete(actor, document_id)


for part in (bases, faq, documents, uploads):
    router.include_router(part)
