"""One database, SQLite or PostgreSQL, and its transactions."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Insert, Table, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from db import inline_sqlite
from db.base import Row
from db.trouble import unavailable


def async_url(url: str) -> str:
    """The same database address with the driver that Botyard uses; raises ValueError on others."""
    parsed = make_url(url)
    drivers = {"sqlite": "sqlite+inline", "postgresql": "postgresql+asyncpg"}
    backend = "postgresql" if parsed.drivername == "postgres" else parsed.get_backend_name()
    if backend not in drivers:
        raise ValueError(f"DATABASE_URL: {backend!r} is not supported; use sqlite or postgresql")
    return parsed.set(drivername=drivers[backend]).render_as_string(hide_password=False)


ASYNCHRONOUS = text("SET LOCAL synchronous_commit = off")


class Database:
    """Opens transactions. A transaction is never held across a network await."""

    def __init__(self, url: str, *, connections: int = 2) -> None:
        self.url = async_url(url)
        self.is_sqlite = self.url.startswith("sqlite")
        options = {"factory": inline_sqlite.InlineConnection} if self.is_sqlite else {}
        self.backend: AsyncEngine = create_async_engine(
            self.url,
            connect_args=options,
            poolclass=AsyncAdaptedQueuePool,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=60,
        )
        self._reader = self.backend.execution_options(botyard_mode=inline_sqlite.READING)
        self._unhurried = self.backend.execution_options(botyard_mode=inline_sqlite.UNHURRIED)
        if self.is_sqlite:
            event.listen(self.backend.sync_engine, "connect", inline_sqlite.prepare)
            event.listen(self.backend.sync_engine, "begin", inline_sqlite.begin)

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[AsyncConnection]:
        """A writing transaction: commits at the end of the block, rolls back on an error.

        Without `durable` the commit does not wait for the disk. It survives every kill -9; a power
        failure may undo it, as a whole. Only for what is then done again by itself.

        On SQLite it begins IMMEDIATE: a read-then-write under plain BEGIN fails at once
        with "database is locked", whatever the busy timeout. Raises Unavailable.
        """
        try:
            async with (self.backend if durable else self._unhurried).begin() as connection:
                if not durable and not self.is_sqlite:
                    await connection.execute(ASYNCHRONOUS)
                yield connection
        except Exception as error:
            if passing := unavailable(error):
                raise passing from error
            raise

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reads, which takes no lock; on SQLite it sees one snapshot. Raises Unavailable."""
        try:
            async with self._reader.connect() as connection:
                yield connection
        except Exception as error:
            if passing := unavailable(error):
                raise passing from error
            raise

    async def close(self) -> None:
        """Close all connections."""
        await self.backend.dispose()


DIALECTS = {"sqlite": sqlite, "postgresql": postgresql}


def insert_unless_there(dialect: str, table: Table, unique: Sequence[str]) -> Any:
    """An INSERT that leaves an existing row with the same `unique` columns untouched."""
    return DIALECTS[dialect].insert(table).on_conflict_do_nothing(index_elements=list(unique))


def upsert(
    connection: AsyncConnection, table: type[Row], unique: Sequence[str], values: dict[str, Any]
) -> Insert:
    """An INSERT of `values` that updates all other columns of an existing row."""
    insert = DIALECTS[connection.dialect.name].insert(table).values(values)
    changed = {name: insert.excluded[name] for name in values if name not in unique}
    statement: Insert = insert.on_conflict_do_update(index_elements=list(unique), set_=changed)
    return statement
