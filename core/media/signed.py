"""Signed addresses of media files: whoever has one may read the file until it ends, without signing in.

The key is a random one of this installation, kept as a setting: every process can make and check addresses.
"""

import base64
import hashlib
import hmac
import re
import secrets
import unicodedata
from typing import Any, cast
from urllib.parse import urlencode

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from core.media.files import SUFFIXES
from db.base import now
from db.database import Database, insert_unless_there
from db.settings import Setting, get_setting

SETTING = "media_key"
LASTS = 7 * 24 * 3600.0
LONGEST_NAME = 40


class Signer:
    """Makes and checks signatures with one key."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def path(self, row: Any, until: float | None = None) -> str:
        """The address of an artifact's file below the public address, good until a moment (a week)."""
        moment = int(now() + LASTS if until is None else until)
        query = urlencode({"until": moment, "sig": self._signature(row.id, moment)})
        return f"/media/{row.id}/{file_name(row)}?{query}"

    def valid(self, artifact_id: str, until: str, signature: str) -> bool:
        """Whether the signature is ours and has not ended."""
        if not (until.isascii() and until.isdigit() and len(until) < 12) or int(until) < now():
            return False
        return hmac.compare_digest(self._signature(artifact_id, int(until)).encode(), signature.encode())

    def _signature(self, artifact_id: str, until: int) -> str:
        digest = hmac.digest(self._key, f"media/{artifact_id}/{until}".encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:24]).decode()


async def open_signer(database: Database) -> Signer:
    """The installation's signer; makes its key at the first call."""
    async with database.reading() as conn:
        kept = await get_setting(conn, SETTING)
    if kept is None:
        async with database.transaction() as conn:
            kept = await _first_key(conn)
    return Signer(str(kept))


async def _first_key(conn: AsyncConnection) -> str:
    new = insert_unless_there(conn.dialect.name, cast(Table, Setting.__table__), ("key",))
    await conn.execute(new.values(key=SETTING, value=secrets.token_urlsafe(32)))
    return str(await get_setting(conn, SETTING))


def file_name(row: Any) -> str:
    """A name for people's disks, from the prompt's first words, safe in every address."""
    plain = unicodedata.normalize("NFKD", row.prompt[:200]).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", plain)
    name = ""
    for word in words:
        if len(name) + len(word) >= LONGEST_NAME:
            break
        name = f"{name}-{word}".strip("-")
    return (name or row.id[-12:]) + SUFFIXES.get(row.mime, ".bin")
