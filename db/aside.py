"""Reads that take long, kept away from the event loop, in which SQLite otherwise runs."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from db.database import Database

T = TypeVar("T")
Read = Callable[[AsyncConnection], Awaitable[T]]


async def aside(database: Database, read: Read[T]) -> T:
    """What `read` returns, on a connection and (with SQLite) in a thread of its own: whoever else the
    process serves goes on meanwhile. For reports over many rows; it costs a few milliseconds more."""
    if database.is_sqlite:
        return await asyncio.to_thread(_apart, database.url, read)
    async with database.reading() as conn:
        return await read(conn)


def _apart(url: str, read: Read[T]) -> T:
    return asyncio.run(_read(url, read))


async def _read(url: str, read: Read[T]) -> T:
    database = Database(url, connections=1)
    try:
        async with database.reading() as conn:
            return await read(conn)
    finally:
        await database.close()
