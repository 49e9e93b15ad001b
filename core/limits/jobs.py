"""Limits of jobs: room is reserved when one is ordered, and what it used is counted when it ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.limits.limits import Grant, Limits
from core.limits.payer import Payer
from core.limits.rule import MESSAGES, MONEY, PICTURES, TOKENS, VIDEOS, Rule, rules_of
from core.media.routes import VIDEO, MediaRoute
from core.routing.allowance import Allowance
from core.routing.spec import RouteSpec
from db import limits
from providers.media.types import Task
from providers.types import ProviderConfig


@dataclass(frozen=True, slots=True)
class Need:
    """What a job is expected to use: so many pictures or videos, US dollars, and seconds until it has ended
    for sure."""

    job_id: str
    task: Task
    count: int
    price: float
    seconds: float

    @property
    def amounts(self) -> dict[str, float]:
        """By measure; it counts as one message, and a measure of something else is not asked at all."""
        plain = {MESSAGES: 1.0, TOKENS: 0.0, MONEY: self.price}
        return {**plain, _measure(self.task): float(self.count)}


@dataclass(frozen=True, slots=True)
class Room:
    """What the limits leave: the route's lines that may be asked, none when nothing may be made."""

    grant: Grant
    lines: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether no limit takes anything away."""
        return self.grant.allowance == Allowance()


async def reserve_job(
    book: Limits, payer: Payer, rules: Sequence[Rule], route: MediaRoute, need: Need
) -> Room:
    """Reserve room for a job. What is not used then is to be settled, with nothing."""
    spec = RouteSpec(route.id, providers=tuple(ProviderConfig(one, "") for one in route.providers))
    grant = await book.reserve(payer, rules, spec, need.amounts, (need.job_id, need.seconds))
    allowance = grant.allowance
    lines = () if allowance.stopped else route.candidates
    if allowance.free_only:
        lines = tuple(line for line in lines if line.partition(":")[0] in route.local)
    return Room(grant, tuple(line for line in lines if line.partition(":")[0] not in allowance.exhausted))


async def settle_job(
    conn: AsyncConnection, row: Any, usage: Sequence[Mapping[str, Any]] = (), made: int = 0
) -> None:
    """Count what a job used and `made`, in the transaction that ends it."""
    payer = payer_of(row)
    names = dict.fromkeys(one["provider_id"] for one in usage)
    spec = RouteSpec(providers=tuple(ProviderConfig(name, "") for name in names))
    rules = rules_of(await limits.all_limits(conn))
    reserved = {(rule.id, who): rule for rule in rules for who in rule.subjects(payer, spec)}
    counted = [{**one, _measure(Task(row.task)): made} if one["outcome"] == "ok" else one for one in usage]
    grant = Grant(row.id, payer, reserved=reserved)
    await limits.settle(conn, row.id, lambda *counter: grant.used(counter, counted))


def payer_of(row: Any) -> Payer:
    """Who pays for a job."""
    channel = row.channel_id or ""
    chat = f"{channel}/{row.chat_key}" if channel else ""
    return Payer(row.source, channel, chat, row.user_key, row.key_id)


def _measure(task: Task) -> str:
    return VIDEOS if task.makes == VIDEO else PICTURES
