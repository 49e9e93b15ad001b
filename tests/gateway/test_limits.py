"""Limits of gateway keys: 429 in OpenAI's shape, and real use is counted."""

from typing import Any

from sqlalchemy import select

from db.limits import LimitUse, add_limit
from db.settings import bump_config
from tests.gateway.conftest import Site


async def limited(site: Site, **values: Any) -> None:
    usual = {"subject_kind": "key", "measure": "messages", "amount": 1, "period": "hour", "action": "stop"}
    async with site.services.database.transaction() as conn:
        await add_limit(conn, **{**usual, **values})
        await bump_config(conn)
    site.services.book._looked_at = float("-inf")


async def test_a_key_over_its_limit_gets_429(site: Site) -> None:
    await limited(site)
    other = await site.make_key()
    assert (await site.ask()).status == 200
    await site.usage(1)
    refused = await site.ask(stream=True)
    assert (refused.status, refused.error["code"]) == (429, "limit_reached")
    assert 0 < int(refused.headers["retry-after"]) <= 3600
    body = {"model": "main", "messages": [{"role": "user", "content": "hi"}]}
    assert (await site.post(body, other)).status == 200
    assert len(site.vendor.requests) == 2


async def test_tokens_are_counted_as_they_were_used(site: Site) -> None:
    await limited(site, measure="tokens", amount=100_000)
    await site.ask()
    (row,) = await site.usage(1)
    async with site.services.database.reading() as conn:
        (use,) = (await conn.execute(select(LimitUse.__table__))).all()
    assert use.used == row.input_tokens + row.output_tokens > 0 and use.subject == row.key_id
