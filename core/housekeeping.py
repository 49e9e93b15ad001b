"""Clearing away what nobody needs any more: updates that were answered, messages that were sent, pictures,
media whose time is over; and summing usage up by day before its rows go.
"""

import asyncio
import itertools
import logging

from sqlalchemy.exc import SQLAlchemyError

from core.media.artifacts_clearing import clear_expired, clear_orphans
from core.media.store import Store, StoreTrouble
from db import inbox, jobs, limits, outbox, uploads, usage_days
from db.base import now
from db.database import Database

KEEP = 30 * 24 * 3600.0  # seconds; a vendor repeats an update for a day, a visitor's page for a few
EVERY = 3600.0
ORPHANS_AT = 1  # hours after the start, then once a day: a start has other things to do
BATCH = 500  # rows a transaction: nobody waits long for the lock
logger = logging.getLogger(__name__)


async def keep_house(database: Database, store: Store | None = None) -> None:
    """Clear away every hour until cancelled; files without a row once a day."""
    for hour in itertools.count():
        try:
            await sum_up_usage(database, now())
            cleared = await clear(database, now() - KEEP)
            if cleared:
                logger.info("%s old inbox, outbox, upload and usage rows cleared away", cleared)
        except SQLAlchemyError:
            logger.exception("clearing away failed; it is tried again in an hour")
        if store is not None:
            await _clear_media(database, store, orphans=hour % 24 == ORPHANS_AT)
        await asyncio.sleep(EVERY)


async def _clear_media(database: Database, store: Store, *, orphans: bool) -> None:
    try:
        cleared = await clear_expired(database, store)
        lost = await clear_orphans(database, store) if orphans else 0
        if cleared or lost:
            logger.info("%s pictures and videos cleared away, and %s files that nobody names", cleared, lost)
    except (SQLAlchemyError, StoreTrouble):
        logger.exception("clearing media away failed; it is tried again")


async def clear(database: Database, before: float) -> int:
    """Delete closed rows that are older; what is new, running or set aside stays. Returns how many."""
    total = 0
    for forget in (
        inbox.forget_done,
        outbox.forget_sent,
        uploads.forget_old,
        usage_days.forget_summed,
        limits.forget_old,
        jobs.forget_ended,
    ):
        deleted = BATCH
        while deleted == BATCH:
            async with database.transaction(durable=False) as conn:
                deleted = await forget(conn, before, BATCH)
            total += deleted
    return total


async def sum_up_usage(database: Database, moment: float) -> int:
    """Sum up every day that is over; returns how many."""
    days = 0
    while True:
        async with database.reading() as conn:
            day = await usage_days.next_day(conn, moment)
        if day is None:
            return days
        async with database.transaction() as conn:
            await usage_days.sum_up(conn, day)
        days += 1
