"""The pictures that a channel keeps itself, because nobody else does: those of a website's visitors."""

import re

from core.pictures import Picture
from db import uploads
from db.database import Database

MOST_BYTES = 2 * 1024**3  # of one channel; they are cleared away after a month
ID = re.compile(r"[0-9a-f-]{36}\Z")


class Uploads:
    """One channel's pictures."""

    def __init__(self, database: Database, channel_id: str) -> None:
        self._database = database
        self._channel_id = channel_id

    async def keep(self, chat_key: str, picture: Picture) -> str | None:
        """Store a picture; its ref, or None when the channel has no room left."""
        async with self._database.transaction() as conn:
            if await uploads.uploaded_bytes(conn, self._channel_id) + len(picture.body) > MOST_BYTES:
                return None
            return await uploads.add_upload(conn, self._channel_id, chat_key, picture.mime, picture.body)

    async def find(self, ref: str, chat_key: str | None = None) -> Picture | None:
        """A picture; None where there is none, or not of the chat that is named."""
        if not ID.match(ref):
            return None
        async with self._database.reading() as conn:
            row = await uploads.get_upload(conn, self._channel_id, ref)
        if row is None or chat_key not in (None, row.chat_key):
            return None
        return Picture(bytes(row.body), row.mime)
