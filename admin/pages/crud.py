"""Pages of a kind of row: the form for a new one, the form of one, and the ways to save and delete it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import Response

from admin.pages.changes import (
    Page,
    Values,
    actor,
    attempt,
    configuration_of,
    text_of,
    validated,
)
from admin.pages.page import back, show
from admin.sign_in import MayChange, SignedIn
from core.configuration.errors import NotFound
from core.configuration.service import Configuration


async def nothing(_: Request) -> Values:
    """No further context."""
    return {}


@dataclass(frozen=True, slots=True)
class Crud:
    """How one kind of row is edited.

    `read` makes config values of a form, `fill` makes form values of a row; `context` is what every
    form shows beside its fields, `more` what the page of one row shows as well.
    """

    room: str
    template: str
    entity: Callable[[Configuration], Any]
    new: type[BaseModel]
    config: type[BaseModel]
    read: Callable[[FormData], Values]
    fill: Callable[[Any], Values]
    context: Callable[[Request], Awaitable[Values]] = nothing
    more: Callable[[Request, Any], Awaitable[Values]] | None = None


def add_forms(router: APIRouter, crud: Crud) -> None:
    """The pages and changes of a kind of row."""
    blank = Page(crud.template, crud.room, _context(crud, None))

    @router.get(f"/{crud.room}/new")
    async def new_form(request: Request, _: SignedIn) -> Response:
        context = await blank.context(request)
        return await show(request, crud.template, crud.room, values={}, errors={}, **context)

    @router.post(f"/{crud.room}/new")
    async def create(request: Request, person: MayChange) -> Response:
        form = await request.form()
        values = {**crud.read(form), "id": text_of(form, "id").lower()}

        async def change() -> Response:
            new = validated(crud.new, values)
            made = await crud.entity(configuration_of(request)).create(actor(person), new)
            return back(f"/{crud.room}/{made.id}", "created")

        return await attempt(request, blank, _shown(form), change)

    _add_one(router, crud)


def _add_one(router: APIRouter, crud: Crud) -> None:
    @router.get(f"/{crud.room}/{{row_id}}")
    async def form_of(request: Request, row_id: str, _: SignedIn) -> Response:
        row = await row_of(request, crud, row_id)
        context = await _context(crud, row)(request)
        return await show(request, crud.template, crud.room, values=crud.fill(row), errors={}, **context)

    @router.post(f"/{crud.room}/{{row_id}}")
    async def save(request: Request, row_id: str, person: MayChange) -> Response:
        form = await request.form()
        row = await row_of(request, crud, row_id)
        page = Page(crud.template, crud.room, _context(crud, row))

        async def change() -> Response:
            config = validated(crud.config, crud.read(form))
            await crud.entity(configuration_of(request)).change(actor(person), row_id, config)
            return back(f"/{crud.room}/{row_id}", "saved")

        return await attempt(request, page, _shown(form), change)

    @router.post(f"/{crud.room}/{{row_id}}/delete")
    async def delete(request: Request, row_id: str, person: MayChange) -> Response:
        row = await row_of(request, crud, row_id)
        page = Page(crud.template, crud.room, _context(crud, row))

        async def change() -> Response:
            await crud.entity(configuration_of(request)).delete(actor(person), row_id)
            return back(f"/{crud.room}", "deleted")

        return await attempt(request, page, crud.fill(row), change)


async def row_of(request: Request, crud: Crud, row_id: str) -> Any:
    """One row, or 404."""
    try:
        return await crud.entity(configuration_of(request)).get(row_id)
    except NotFound as error:
        raise HTTPException(404) from error


def _context(crud: Crud, row: Any | None) -> Callable[[Request], Awaitable[Values]]:
    async def context(request: Request) -> Values:
        more = await crud.more(request, row) if crud.more and row is not None else {}
        return {"row": row, **await crud.context(request), **more}

    return context


def _shown(form: FormData) -> Values:
    """What was typed, to show it again; never a secret."""
    hidden = ("csrf", "token", "keys", "proxies", "proxy", "password")
    values: Values = {}
    for name in form:
        texts = [value for value in form.getlist(name) if isinstance(value, str)]
        if name not in hidden:
            values[name] = texts if len(texts) > 1 or name in ("bases", "candidates") else "".join(texts)
    return values
