"""Who may come in: people with their roles, API tokens, and the record of what was changed."""

from fastapi import APIRouter, Request
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from admin.i18n import language_of
from admin.pages.changes import actor, text_of
from admin.pages.entry import password_errors
from admin.pages.page import ROLES, back, show
from admin.services import services_of
from admin.sign_in import MustOwn, SignedIn, hash_password
from core.api_tokens import all_tokens, create_token, revoke_token
from db.operators import (
    add_audit,
    add_operator,
    all_operators,
    delete_operator,
    recent_audit,
)

router = APIRouter()
NEWEST = 200


@router.get("/people")
async def people(request: Request, _: SignedIn) -> Response:
    """Everybody who may sign in."""
    return await _people(request, {}, {})


@router.post("/people")
async def add_person(request: Request, person: MustOwn) -> Response:
    """Give somebody access."""
    form = await request.form()
    login, role = text_of(form, "login")[:120], text_of(form, "role")
    password = str(form.get("password", ""))
    t = language_of(request)
    errors = password_errors(request, login, password, password)
    if role not in ROLES:
        errors["role"] = t("Choose a role.")
    values = {"login": login, "role": role, "name": text_of(form, "name")[:120]}
    if errors:
        return await _people(request, values, errors)
    hashed = await hash_password(password)
    name = values["name"] or login
    try:
        async with services_of(request).database.transaction() as conn:
            await add_operator(conn, login=login, name=name, password=hashed, role=role)
            await add_audit(conn, actor(person), "person.create", login, role=role)
    except IntegrityError:
        return await _people(request, values, {"login": t("Somebody has this login already.")})
    return back("/people", "created")


@router.post("/people/{operator_id}/delete")
async def delete_person(request: Request, operator_id: str, person: MustOwn) -> Response:
    """Take access away; nobody locks themselves out."""
    if operator_id == person.operator_id:
        raise HTTPException(400)
    async with services_of(request).database.transaction() as conn:
        await delete_operator(conn, operator_id)
        await add_audit(conn, actor(person), "person.delete", operator_id)
    return back("/people", "deleted")


async def _people(request: Request, values: dict[str, str], errors: dict[str, str]) -> Response:
    async with services_of(request).database.reading() as conn:
        rows = await all_operators(conn)
    status = 422 if errors else 200
    return await show(
        request, "people.html", "people", status, rows=rows, roles=ROLES, values=values, errors=errors
    )


@router.get("/tokens")
async def tokens(request: Request, _: SignedIn) -> Response:
    """Tokens of the APIs, without the tokens themselves."""
    return await _tokens(request)


@router.post("/tokens")
async def add_token(request: Request, person: MustOwn) -> Response:
    """Make a token and show it once."""
    name = text_of(await request.form(), "name")[:120]
    t = language_of(request)
    if not name:
        return await _tokens(request, errors={"name": t("Name what it is for.")})
    token, _ = await create_token(services_of(request).database, actor(person), name)
    return await _tokens(request, fresh=token)


@router.post("/tokens/{token_id}/delete")
async def delete_token(request: Request, token_id: str, person: MustOwn) -> Response:
    """Revoke a token."""
    await revoke_token(services_of(request).database, actor(person), token_id)
    return back("/tokens", "deleted")


async def _tokens(request: Request, fresh: str = "", errors: dict[str, str] | None = None) -> Response:
    services = services_of(request)
    rows = await all_tokens(services.database)
    fixed = bool(services.settings.admin_token.get_secret_value())
    return await show(
        request, "tokens.html", "tokens", 422 if errors else 200,
        rows=rows, fresh=fresh, errors=errors or {}, fixed=fixed, url=services.settings.url,
    )  # fmt: skip


@router.get("/audit")
async def audit(request: Request, _: SignedIn) -> Response:
    """What was changed, by whom and when."""
    async with services_of(request).database.reading() as conn:
        rows = await recent_audit(conn, NEWEST)
    return await show(request, "audit.html", "audit", rows=rows)
