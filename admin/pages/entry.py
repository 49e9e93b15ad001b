"""The ways in and out: set-up, sign-in, sign-out, and the reader's language."""

import math

from fastapi import APIRouter, Request
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from admin.i18n import COOKIE, LANGUAGES, language_of
from admin.pages.changes import text_of
from admin.pages.page import back, bare, local_path
from admin.security import check_change, check_origin
from admin.services import services_of
from admin.sign_in import (
    LONGEST_PASSWORD,
    SHORTEST_PASSWORD,
    SignedIn,
    Throttle,
    check_password,
    end_sign_in,
    find_person,
    hash_password,
    set_cookie,
    start_sign_in,
)
from core.setup_link import end_setup, is_setup_token
from db.operators import add_audit, add_operator, count_operators

router = APIRouter()
YEAR = 365 * 86400


@router.get("/language/{code}")
async def language(request: Request, code: str, next: str = "/") -> Response:
    """Choose a language and go back."""
    response = RedirectResponse(local_path(next), 303)
    if code in LANGUAGES:
        response.set_cookie(COOKIE, code, max_age=YEAR, samesite="lax")
    return response


@router.get("/sign-in")
async def sign_in_form(request: Request, next: str = "/") -> Response:
    """The form to sign in."""
    if await find_person(request):
        return back(local_path(next))
    return await _sign_in(request, local_path(next))


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Sign in; wrong tries make the next one wait."""
    check_origin(request)
    form = await request.form()
    login, password = text_of(form, "login")[:120], str(form.get("password", ""))
    target = local_path(text_of(form, "next") or "/")
    throttle: Throttle = request.app.state.throttle
    keys = f"login:{login.lower()}", f"address:{request.client.host if request.client else ''}"
    t = language_of(request)
    if wait := throttle.wait(*keys):
        words = t.plural(
            "Too many tries. Wait a second.", "Too many tries. Wait %(num)s seconds.", math.ceil(wait)
        )
        return await _sign_in(request, target, login, words, 429)
    throttle.failed(*keys)  # before the slow check: tries that are made at once count as well
    async with services_of(request).database.reading() as conn:
        operator_id = await check_password(conn, login, password)
    if operator_id is None:
        return await _sign_in(request, target, login, t("Login or password is wrong."), 422)
    throttle.succeeded(*keys)
    async with services_of(request).database.transaction() as conn:
        secret = await start_sign_in(conn, request, operator_id)
        await add_audit(conn, login, "sign_in")
    response = back(target)
    set_cookie(request, response, secret)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, person: SignedIn) -> Response:
    """Sign out."""
    await check_change(request, person.csrf)
    response = back("/sign-in")
    async with services_of(request).database.transaction() as conn:
        await end_sign_in(conn, person, request, response)
    return response


@router.get("/set-up/{token}")
async def set_up_form(request: Request, token: str) -> Response:
    """The form that makes the owner; only for who has the link."""
    async with services_of(request).database.reading() as conn:
        await _check_link(conn, token)
    return bare(request, "set_up.html", login="", errors={})


@router.post("/set-up/{token}")
async def set_up(request: Request, token: str) -> Response:
    """Make the owner and sign them in."""
    check_origin(request)
    form = await request.form()
    login, password = text_of(form, "login")[:120], str(form.get("password", ""))
    errors = password_errors(request, login, password, str(form.get("again", "")))
    if errors:
        return bare(request, "set_up.html", 422, login=login, errors=errors)
    hashed = await hash_password(password)
    async with services_of(request).database.transaction() as conn:
        await _check_link(conn, token)
        operator_id = await add_operator(conn, login=login, name=login, password=hashed, role="owner")
        await end_setup(conn)
        await add_audit(conn, login, "owner.create", login)
        secret = await start_sign_in(conn, request, operator_id)
    response = back("/welcome", "ready")
    set_cookie(request, response, secret)
    return response


def password_errors(request: Request, login: str, password: str, again: str) -> dict[str, str]:
    """What is wrong with a new login and password, by field."""
    t = language_of(request)
    errors = {}
    if not login:
        errors["login"] = t("Choose a login.")
    if len(password) < SHORTEST_PASSWORD:
        errors["password"] = t("At least 10 characters, please.")
    elif len(password) > LONGEST_PASSWORD:
        errors["password"] = t("At most 200 characters, please.")
    elif password != again:
        errors["again"] = t("The two passwords differ.")
    return errors


async def _check_link(conn: AsyncConnection, token: str) -> None:
    if not await is_setup_token(conn, token):
        raise HTTPException(404)


async def _sign_in(
    request: Request, target: str, login: str = "", error: str = "", status: int = 200
) -> Response:
    async with services_of(request).database.reading() as conn:
        no_owner = not await count_operators(conn)
    errors = {"": error} if error else {}
    return bare(request, "sign_in.html", status, next=target, login=login, errors=errors, no_owner=no_owner)
