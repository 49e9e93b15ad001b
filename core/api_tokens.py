"""Bearer tokens of the APIs: shown once when they are made, kept as a digest."""

import hashlib
import secrets
from dataclasses import dataclass

from db import operators
from db.base import now
from db.database import Database

PREFIX = "by_"
FIRST = "first start"


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token as it may be listed; `id` is its digest."""

    id: str
    name: str
    hint: str
    created_at: float


def token_id(token: str) -> str:
    """The row's id of a token: its sha256. Tokens are random, so that no salt is needed."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


async def all_tokens(database: Database) -> list[ApiToken]:
    """Every token, oldest first."""
    async with database.reading() as conn:
        rows = await operators.api_tokens(conn)
    return [ApiToken(row.id, row.name, row.hint, row.created_at) for row in rows]


async def create_token(database: Database, actor: str, name: str) -> tuple[str, ApiToken]:
    """Make a token; this is the only time that it can be seen."""
    token = PREFIX + secrets.token_urlsafe(32)
    made = ApiToken(token_id(token), name, token[-4:], now())
    async with database.transaction() as conn:
        await operators.add_api_token(
            conn, id=made.id, name=made.name, hint=made.hint, created_at=made.created_at
        )
        await operators.add_audit(conn, actor, "token.create", name)
    return token, made


async def revoke_token(database: Database, actor: str, row_id: str) -> bool:
    """Delete a token; False when there is none of this id."""
    async with database.transaction() as conn:
        row = await operators.find_api_token(conn, row_id)
        if row is None:
            return False
        await operators.delete_api_token(conn, row_id)
        await operators.add_audit(conn, actor, "token.revoke", row.name)
    return True


async def first_token(database: Database, fixed: str = "") -> str | None:
    """A token to be shown once at the first start; None when `fixed` (BOTYARD_ADMIN_TOKEN) or any token
    exists already."""
    if fixed or await all_tokens(database):
        return None
    token, _ = await create_token(database, "set-up", FIRST)
    return token
