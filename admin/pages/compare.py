"""Compare: one prompt to several routes or models, side by side."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from admin.pages.page import show
from admin.pages.trials import answers, choices
from admin.sign_in import MayChange, SignedIn
from core.compare import MOST

router = APIRouter()


@router.get("/compare")
async def compare(
    request: Request, _: SignedIn, model: Annotated[list[str] | None, Query()] = None, prompt: str = ""
) -> Response:
    """The page; a link to it may name the models and the prompt."""
    known = await choices(request)
    named = [name for name in model or () if name][:MOST] or [name for name, _words in known[:2]]
    return await show(
        request, "compare.html", "compare", choices=known, models=named, prompt=prompt, most=MOST
    )


@router.post("/compare/answers")
async def all_answers(request: Request, person: MayChange) -> Response:
    """All answers at once, as they come."""
    return await answers(request, person, "compare")
