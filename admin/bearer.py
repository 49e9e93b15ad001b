"""Who calls an API: the fixed token of the environment, or a token that is a row."""

import hashlib
import hmac

from starlette.requests import HTTPConnection

from admin.services import services_of
from core.api_tokens import token_id
from db import operators

FIXED = "admin token"  # the caller's name in the audit


class Unauthorized(Exception):
    """There is no valid token in the request."""


async def caller_of(connection: HTTPConnection) -> str:
    """The name of who calls, for the audit; raises Unauthorized."""
    scheme, _, given = connection.headers.get("authorization", "").partition(" ")
    given = given.strip()
    if scheme.lower() != "bearer" or not given:
        raise Unauthorized
    services = services_of(connection)
    fixed = services.settings.admin_token.get_secret_value()
    if fixed and _same(given, fixed):
        return FIXED
    async with services.database.reading() as conn:
        row = await operators.find_api_token(conn, token_id(given))
    if row is None:
        raise Unauthorized
    return f"token {row.name}"


def _same(given: str, wanted: str) -> bool:
    """Compared as digests, so that neither content nor length shows in the time it takes."""
    return hmac.compare_digest(
        hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest(),
        hashlib.sha256(wanted.encode()).digest(),
    )
