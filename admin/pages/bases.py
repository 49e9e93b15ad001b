"""Knowledge bases: FAQ entries, documents, and a box that tries what they would answer."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.responses import Response

from admin.pages.changes import Page, Values, actor, attempt, configuration_of, text_of, texts_of, validated
from admin.pages.crud import Crud, add_forms, row_of
from admin.pages.page import back, fragment, show
from admin.services import services_of
from admin.sign_in import MayChange, SignedIn
from core.configuration.configs import BaseInput, FaqInput, NewBase
from core.configuration.errors import NotFound
from core.instance import FaqEntry
from core.knowledge.answerer import KnowledgeModel
from core.knowledge.faq import FaqBook

router = APIRouter()
LONGEST_QUESTION = 2000


def _read(form: FormData) -> Values:
    return texts_of(form, "name")


def _fill(row: Any) -> Values:
    return {"name": row.name}


async def entries(request: Request, row: Any) -> Values:
    """The entries and documents of a base."""
    configuration = configuration_of(request)
    return {
        "faqs": await configuration.faqs.all(row.id),
        "documents": await configuration.documents.all(row.id),
    }


BASES = Crud("bases", "base_form.html", lambda c: c.bases, NewBase, BaseInput, _read, _fill, more=entries)


@router.get("/bases")
async def bases(request: Request, _: SignedIn) -> Response:
    """All knowledge bases."""
    rows = await configuration_of(request).bases.all()
    return await show(request, "bases.html", "bases", rows=rows)


add_forms(router, BASES)


async def _faq_page(request: Request, base_id: str, faq_id: str = "") -> Page:
    base = await row_of(request, BASES, base_id)
    try:
        row = await configuration_of(request).faqs.get(faq_id) if faq_id else None
    except NotFound as error:
        raise HTTPException(404) from error
    if row is not None and row.base != base_id:
        raise HTTPException(404)

    async def context(_: Request) -> Values:
        return {"base": base, "row": row}

    return Page("faq.html", "bases", context)


@router.get("/bases/{base_id}/faq/{faq_id}")
async def faq_form(request: Request, base_id: str, faq_id: str, _: SignedIn) -> Response:
    """The form of an entry; "new" for a new one."""
    page = await _faq_page(request, base_id, "" if faq_id == "new" else faq_id)
    context = await page.context(request)
    row = context["row"]
    values = {"question": row.question, "answer": row.answer, "match": row.match} if row else {}
    return await show(request, page.template, page.room, values=values, errors={}, **context)


@router.post("/bases/{base_id}/faq/{faq_id}")
async def save_faq(request: Request, base_id: str, faq_id: str, person: MayChange) -> Response:
    """Add or change an entry."""
    page = await _faq_page(request, base_id, "" if faq_id == "new" else faq_id)
    form = await request.form()
    values = {**texts_of(form, "match"), "question": text_of(form, "question")}
    values["answer"] = text_of(form, "answer").replace("\r\n", "\n")

    async def change() -> Response:
        config = validated(FaqInput, values)
        faqs = configuration_of(request).faqs
        if faq_id == "new":
            await faqs.create(actor(person), base_id, config)
        else:
            await faqs.change(actor(person), faq_id, config)
        return back(f"/bases/{base_id}", "saved")

    return await attempt(request, page, values, change)


@router.post("/bases/{base_id}/faq/{faq_id}/delete")
async def delete_faq(request: Request, base_id: str, faq_id: str, person: MayChange) -> Response:
    """Delete an entry."""
    await _faq_page(request, base_id, faq_id)

    async def change() -> Response:
        await configuration_of(request).faqs.delete(actor(person), faq_id)
        return back(f"/bases/{base_id}", "deleted")

    return await attempt(request, await _base_page(request, base_id), {}, change)


@router.post("/bases/{base_id}/documents")
async def upload(request: Request, base_id: str, person: MayChange) -> Response:
    """Take in a document."""
    page = await _base_page(request, base_id)
    async with request.form() as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise HTTPException(400)
        name, data = file.filename or "", await file.read()

    async def change() -> Response:
        await configuration_of(request).documents.add(actor(person), base_id, name, data)
        return back(f"/bases/{base_id}", "uploaded")

    return await attempt(request, page, {}, change)


@router.get("/bases/{base_id}/documents/{document_id}")
async def document(request: Request, base_id: str, document_id: str, _: SignedIn) -> Response:
    """A document's text as it was read."""
    base = await row_of(request, BASES, base_id)
    documents = configuration_of(request).documents
    try:
        row, text = await documents.get(document_id), await documents.text(document_id)
    except NotFound as error:
        raise HTTPException(404) from error
    return await show(request, "document.html", "bases", base=base, row=row, text=text)


@router.post("/bases/{base_id}/documents/{document_id}/delete")
async def delete_document(request: Request, base_id: str, document_id: str, person: MayChange) -> Response:
    """Delete a document."""

    async def change() -> Response:
        await configuration_of(request).documents.delete(actor(person), document_id)
        return back(f"/bases/{base_id}", "deleted")

    return await attempt(request, await _base_page(request, base_id), {}, change)


@router.post("/bases/{base_id}/ask")
async def ask(request: Request, base_id: str, _: MayChange) -> Response:
    """Try a question: which entry or passage would answer it."""
    await row_of(request, BASES, base_id)
    question = text_of(await request.form(), "question")[:LONGEST_QUESTION]
    rows = await configuration_of(request).faqs.all(base_id)
    book = FaqBook([FaqEntry(row.id, row.question, row.answer, row.match) for row in rows])
    found = await KnowledgeModel(services_of(request).database).candidates(question, [base_id])
    return fragment(request, "base_parts.html", "answers", question, book.find(question), found)


async def _base_page(request: Request, base_id: str) -> Page:
    base = await row_of(request, BASES, base_id)

    async def context(request: Request) -> Values:
        return {"row": base, **await entries(request, base)}

    return Page("base_form.html", "bases", context)
