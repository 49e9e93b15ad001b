"""Databases in trouble, for tests: locked or cut off, and commits whose success nobody hears of."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.database import Database
from db.trouble import Unavailable

CUT_OFF = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name AND pid <> pg_backend_pid()"
)


@asynccontextmanager
async def unusable(database: Database) -> AsyncIterator[None]:
    """SQLite: another process holds the write lock. PostgreSQL: the open connections are cut off."""
    other = Database(database.url)
    async with database.reading() as conn:
        await conn.execute(text("SELECT 1"))
    async with other.transaction() as conn:
        if not database.is_sqlite:
            await conn.execute(text(CUT_OFF), {"name": database.backend.url.database})
        yield
    await other.close()


class Unheard(Database):
    """`commits` of its next transactions take place, but an error comes back."""

    commits = 0

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[AsyncConnection]:
        async with super().transaction(durable=durable) as conn:
            yield conn
        if self.commits:
            self.commits -= 1
            raise Unavailable("the connection broke")
