"""Clearing media away: rows whose time is over with their files, and files that no row names."""

import logging
import re
import time

from core.media.files import SUFFIXES
from core.media.store import Store, StoreTrouble
from db import artifacts
from db.base import now
from db.database import Database

POSTER = "-poster.jpg"
SMALL = "-small.webp"  # the preview of a picture or poster, made when somebody first looks
BATCH = 200
ORPHAN_AFTER = 24 * 3600.0  # seconds: until then the row may still come
DATED = re.compile(r"(\d{4}/\d\d/\d\d/[^/]+?)(?:-poster\.jpg|-small\.webp|\.[a-z0-9]{1,5})\Z")
logger = logging.getLogger(__name__)


def base_of(key: str) -> str:
    """A file's place without its ending: what it shares with its poster and its preview."""
    found = DATED.match(key)
    return found[1] if found else key


async def delete_files(store: Store, key: str, poster: str) -> None:
    """Delete an artifact's files, after its row has gone. What cannot be deleted now is an orphan, and
    goes later."""
    for one in filter(None, (base_of(key) + SMALL, poster, key)):
        try:
            await store.delete(one)
        except StoreTrouble as error:
            logger.warning("a media file could not be deleted, it is tried again: %s", error)


async def clear_expired(database: Database, store: Store) -> int:
    """Delete what is kept no longer; returns how many artifacts."""
    total = 0
    while True:
        async with database.transaction(durable=False) as conn:
            gone = await artifacts.delete_expired(conn, now(), BATCH)
        for row in gone:
            await delete_files(store, row.key, row.poster)
        total += len(gone)
        if len(gone) < BATCH:
            return total


async def clear_orphans(database: Database, store: Store, before: float | None = None) -> int:
    """Delete dated files without a row that are older than a day, and what a put that was killed left;
    returns how many. Raises StoreTrouble."""
    moment = time.time() - ORPHAN_AFTER if before is None else before
    total = await store.clear_unfinished(moment)
    async for keys in store.older(moment):
        dated = [key for key in keys if DATED.match(key)]
        for key in await _unknown(database, dated) if dated else ():
            await store.delete(key)
            total += 1
    return total


async def _unknown(database: Database, keys: list[str]) -> list[str]:
    """Those that no row names, and whose job will not make one any more."""
    jobs = {base_of(key): base_of(key).rpartition("/")[2].rsplit("-", 2)[0] for key in keys}
    possible = [base + suffix for base in jobs for suffix in SUFFIXES.values()]
    async with database.reading() as conn:
        known = {base_of(key) for key in await artifacts.keys_among(conn, possible)}
        unended = await artifacts.open_jobs_among(conn, list(jobs.values()))
    return [key for key in keys if base_of(key) not in known and jobs[base_of(key)] not in unended]
