"""Characters: who speaks."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from admin.pages.changes import Values, configuration_of, text_of, texts_of
from admin.pages.crud import Crud, add_forms
from admin.pages.page import show
from admin.pages.sampling import fill_sampling, read_sampling
from admin.sign_in import SignedIn
from core.configuration.character_configs import CharacterInput, NewCharacter
from core.sampling import FIELDS

router = APIRouter()


def _read(form: FormData) -> Values:
    long = {name: text_of(form, name).replace("\r\n", "\n") for name in ("prompt", "greeting")}
    return {**texts_of(form, "name", "rating"), **long, **read_sampling(form)}


def _fill(row: Any) -> Values:
    shown = {name: getattr(row, name) for name in ("name", "prompt", "greeting", "rating")}
    return {**shown, **fill_sampling({name: getattr(row, name) for name in FIELDS})}


CHARACTERS = Crud(
    "characters", "character.html", lambda c: c.characters, NewCharacter, CharacterInput, _read, _fill
)


@router.get("/characters")
async def characters(request: Request, _: SignedIn) -> Response:
    """All characters."""
    rows = await configuration_of(request).characters.all()
    return await show(request, "characters.html", "characters", rows=rows)


add_forms(router, CHARACTERS)
