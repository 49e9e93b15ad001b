"""Long reads leave the event loop to others."""

import asyncio
import time

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from db.aside import aside
from db.database import Database

COUNT = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000) SELECT count(*) FROM n"
)


async def counted(conn: AsyncConnection) -> int:
    return int((await conn.execute(text(COUNT))).scalar_one())


async def test_the_loop_goes_on_during_a_long_read(database: Database) -> None:
    reading = asyncio.create_task(aside(database, counted))
    began = before = time.monotonic()
    longest = 0.0
    while not reading.done():
        await asyncio.sleep(0.005)
        now = time.monotonic()
        longest, before = max(longest, now - before), now
    assert await reading == 3_000_000
    assert longest < (before - began) / 2
