"""The one-time link that makes the first owner of the panel."""

import hashlib
import hmac
import secrets

from sqlalchemy.ext.asyncio import AsyncConnection

from db.database import Database
from db.operators import count_operators
from db.settings import drop_setting, get_setting, set_setting

SETTING = "setup_link"


async def setup_link(database: Database, base_url: str) -> str | None:
    """A fresh set-up link (older ones end), or None when an operator exists.

    Only the hash of its token is kept, so the link is known to whoever reads the terminal alone.
    """
    token = secrets.token_urlsafe(24)
    async with database.transaction() as conn:
        if await count_operators(conn):
            return None
        await set_setting(conn, SETTING, _hash(token))
    return f"{base_url.rstrip('/')}/set-up/{token}"


async def is_setup_token(conn: AsyncConnection, token: str) -> bool:
    """True while a link with this token may still make the owner."""
    if await count_operators(conn):
        return False
    kept = await get_setting(conn, SETTING)
    return isinstance(kept, str) and hmac.compare_digest(kept, _hash(token))


async def end_setup(conn: AsyncConnection) -> None:
    """Forget the link, in the transaction that makes the owner."""
    await drop_setting(conn, SETTING)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
