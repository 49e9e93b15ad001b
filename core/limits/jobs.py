"""Limits of jobs: room is reserved when one is ordered, and what it used is counted when it ends."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.limits.limits import Grant, Limits
from core.limits.payer import Payer
from core.limits.rule import MESSAGES, MONEY, TOKENS, Rule, rules_of
from core.routing.spec import RouteSpec
from db import limits
from providers.types import ProviderConfig


async def reserve_job(
    book: Limits, payer: Payer, rules: Sequence[Rule], spec: RouteSpec, job: tuple[str, float, float]
) -> Grant:
    """Reserve room for a job: its id, its expected price in US dollars and the seconds that it may take. It
    counts as one message."""
    job_id, price, seconds = job
    amounts = {MESSAGES: 1.0, TOKENS: 0.0, MONEY: price}
    return await book.reserve(payer, rules, spec, amounts, (job_id, seconds))


async def settle_job(conn: AsyncConnection, row: Any, usage: Sequence[Mapping[str, Any]]) -> None:
    """Count what a job used, in the transaction that ends it."""
    payer = payer_of(row)
    names = dict.fromkeys(one["provider_id"] for one in usage)
    spec = RouteSpec(providers=tuple(ProviderConfig(name, "") for name in names))
    rules = rules_of(await limits.all_limits(conn))
    reserved = {(rule.id, who): rule for rule in rules for who in rule.subjects(payer, spec)}
    await Grant(row.id, payer, reserved=reserved).settle(conn, usage)


def payer_of(row: Any) -> Payer:
    """Who pays for a job."""
    channel = row.channel_id or ""
    chat = f"{channel}/{row.chat_key}" if channel else ""
    return Payer(row.source, channel, chat, row.user_key, row.key_id)
