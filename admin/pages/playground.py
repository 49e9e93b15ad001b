"""The playground: talk to a route or a model, and see every attempt."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from admin.pages.changes import configuration_of
from admin.pages.page import show
from admin.pages.trials import answers, choices
from admin.sign_in import MayChange, SignedIn

router = APIRouter()


@router.get("/playground")
async def playground(request: Request, _: SignedIn, model: str = "") -> Response:
    """The page; its talk lives in the browser."""
    known = await choices(request)
    characters = await configuration_of(request).characters.all()
    named = model or next((name for name, _words in known), "")
    return await show(
        request, "playground.html", "playground", choices=known, model=named, characters=characters
    )


@router.post("/playground/answer")
async def answer(request: Request, person: MayChange) -> Response:
    """The next answer of a talk, as it comes."""
    return await answers(request, person, "playground")
