"""What a channel reads of the media store, for its own chats, and under which ids it knows the files.

A folder is read without the store's library, which would cost each channel 7 MB.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError

from core.channel import PictureLost
from core.media.signed import open_signer
from core.media.store import KEY, Store, StoreTrouble
from db import artifacts
from db.base import now
from db.database import Database

WATCHED = 6 * 3600.0  # seconds in which a page may play a clip that it has asked for
logger = logging.getLogger(__name__)


class Shelf:
    """Reads files by their keys; `url` is the store's address, "" for the folder; `public_url` is where
    people reach this installation."""

    def __init__(self, database: Database, folder: Path, url: str = "", public_url: str = "") -> None:
        self._database = database
        self._folder = folder
        self._store = Store(url, folder) if url else None
        self._public_url = public_url
        self._keeping: set[asyncio.Task[None]] = set()

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

    async def path_for(self, artifact: str, channel_id: str, chat_key: str) -> str:
        """The signed path of what was made for a chat, below the public address and good for some hours; ""
        for what is gone or another chat's."""
        async with self._database.reading() as conn:
            row = await artifacts.get_artifact(conn, artifact)
        if row is None or (row.channel_id, row.chat_key) != (channel_id, chat_key):
            return ""
        return (await open_signer(self._database)).path(row, now() + WATCHED)

    async def sent_as(self, ids: Sequence[str], name: str) -> Mapping[str, str]:
        """The ids under which a channel knows some of these artifacts; none when the rows cannot be read."""
        try:
            async with self._database.reading() as conn:
                return await artifacts.sent_of(conn, ids, name)
        except SQLAlchemyError as error:
            logger.info("files are uploaded anew: %s", error)
            return {}

    def remember(self, known: Mapping[str, str], name: str) -> None:
        """Keep such ids, in a transaction of their own: neither the send nor its mark depends on it."""
        task = asyncio.create_task(self._remember(dict(known), name))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def _remember(self, known: Mapping[str, str], name: str) -> None:
        try:
            async with self._database.transaction(durable=False) as conn:
                await artifacts.remember_sent(conn, known, name)
        except SQLAlchemyError as error:
            logger.info("the ids of %s files were not kept: %s", len(known), error)

    async def link(self, artifact: str) -> str:
        """A signed address, good for a week; "" where people cannot reach this machine or it is gone."""
        if not _reachable(self._public_url):
            return ""
        async with self._database.reading() as conn:
            row = await artifacts.get_artifact(conn, artifact)
        if row is None:
            return ""
        return self._public_url + (await open_signer(self._database)).path(row)


def _reachable(url: str) -> bool:
    """Whether an address leads here from other machines."""
    host = urlsplit(url).hostname or "localhost"
    try:
        address = ip_address(host)
    except ValueError:
        return host != "localhost"
    return not (address.is_loopback or address.is_unspecified)
