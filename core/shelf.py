"""What a channel reads of the media store: whole files, for its own chats.

A folder is read without the store's library, which would cost each channel 7 MB.
"""

import asyncio
from pathlib import Path

from core.channel import PictureLost
from core.media.store import KEY, Store, StoreTrouble
from db import artifacts
from db.database import Database


class Shelf:
    """Reads files by their keys; `url` is the store's address, "" for the folder."""

    def __init__(self, database: Database, folder: Path, url: str = "") -> None:
        self._database = database
        self._folder = folder
        self._store = Store(url, folder) if url else None

    async def read(self, key: str) -> bytes:
        """A whole file. Raises PictureLost."""
        try:
            if self._store is not None:
                return await self._store.content(key)
            if not KEY.match(key):
                raise PictureLost("no key of the store")
            return await asyncio.to_thread((self._folder / key).read_bytes)
        except (OSError, StoreTrouble) as error:
            raise PictureLost(f"the file is not in the store: {type(error).__name__}") from error

    async def made_for(self, artifact: str, channel_id: str, chat_key: str) -> tuple[bytes, str] | None:
        """What was made for a chat, and its type; None for what is gone or another chat's."""
        async with self._database.reading() as conn:
            row = await artifacts.get_artifact(conn, artifact)
        if row is None or (row.channel_id, row.chat_key) != (channel_id, chat_key):
            return None
        try:
            return await self.read(row.key), str(row.mime)
        except PictureLost:
            return None
