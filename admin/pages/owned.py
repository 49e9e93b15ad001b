"""Pages of what only owners change: one row's form, saved with its switch, and deleted."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import Response

from admin.pages.changes import Page, Values, actor, attempt, many_of, text_of, validated
from admin.pages.page import back, show
from admin.sign_in import MustOwn, SignedIn
from core.configuration.errors import NotFound


@dataclass(frozen=True, slots=True)
class Owned:
    """How one kind of row is edited. `entity` has get, change and delete; `read` makes config values of a
    form without the switch `enabled`, `fill` makes form values of a row; `context` is what its page shows
    beside the form; `typed` are the form's fields, `several` those that are there more than once."""

    room: str
    template: str
    entity: Callable[[Request], Any]
    config: type[BaseModel]
    read: Callable[[FormData], Values]
    fill: Callable[[Any], Values]
    context: Callable[[Request, Any], Awaitable[Values]]
    typed: tuple[str, ...]
    several: tuple[str, ...] = ()

    def shown(self, form: FormData) -> Values:
        """What was typed, to show it again."""
        single = {name: text_of(form, name) for name in self.typed}
        return {**single, **{name: many_of(form, name) for name in self.several}}

    async def find(self, request: Request, row_id: str) -> Any:
        """One row, or 404."""
        try:
            return await self.entity(request).get(row_id)
        except NotFound as error:
            raise HTTPException(404) from error

    def page(self, row: Any) -> Page:
        """The page of one row."""

        async def context(request: Request) -> Values:
            return await self.context(request, row)

        return Page(self.template, self.room, context)


def add_owned(router: APIRouter, owned: Owned) -> None:
    """The page of one row, and its changes."""

    @router.get(f"/{owned.room}/{{row_id}}")
    async def form_of(request: Request, row_id: str, _: SignedIn) -> Response:
        row = await owned.find(request, row_id)
        context = await owned.context(request, row)
        return await show(request, owned.template, owned.room, values=owned.fill(row), errors={}, **context)

    @router.post(f"/{owned.room}/{{row_id}}")
    async def save(request: Request, row_id: str, person: MustOwn) -> Response:
        form = await request.form()
        row = await owned.find(request, row_id)

        async def change() -> Response:
            enabled = text_of(form, "enabled") == "on"
            config = validated(owned.config, {**owned.read(form), "enabled": enabled})
            await owned.entity(request).change(actor(person), row_id, config)
            return back(f"/{owned.room}/{row_id}", "saved")

        return await attempt(request, owned.page(row), owned.shown(form), change)

    @router.post(f"/{owned.room}/{{row_id}}/delete")
    async def delete(request: Request, row_id: str, person: MustOwn) -> Response:
        row = await owned.find(request, row_id)

        async def change() -> Response:
            await owned.entity(request).delete(actor(person), row_id)
            return back(f"/{owned.room}", "deleted")

        return await attempt(request, owned.page(row), owned.fill(row), change)
