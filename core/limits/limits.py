"""Limits: room is reserved before an answer is made, and what it used is counted after."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.limits.expected import dearest
from core.limits.payer import Payer
from core.limits.rule import FREE, MESSAGES, MONEY, STOP, TOKENS, WARN, Rule
from core.routing.allowance import UNLIMITED, Allowance
from core.routing.eligibility import estimate
from core.routing.spec import RouteSpec
from db import limits as rows
from db.base import new_id, now
from db.database import Database
from db.limits import Want
from providers.types import ChatRequest

RESERVED_FOR = 600.0  # seconds; what died in the middle of an answer holds its room no longer
ANSWER_TOKENS = 500  # of an answer whose length nobody set
ANSWERED = ("ok", "cancelled")  # whoever stops an answer has had it
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Grant:
    """Leave to make one answer. `reserved` are the counters that its use goes to, by limit and subject."""

    request_id: str
    payer: Payer
    allowance: Allowance = UNLIMITED
    reserved: Mapping[tuple[str, str], Rule] = field(default_factory=dict)

    async def settle(self, conn: AsyncConnection, usage: Sequence[Mapping[str, Any]]) -> None:
        """Count what the answer used: rows of its attempts (provider_id, outcome, tokens, cost, and how many
        pictures or videos they made). Call it in the transaction that stores them; a second call counts
        nothing."""
        if self.reserved:
            await rows.settle(conn, self.request_id, lambda *counter: self.used(counter, usage))

    def used(self, counter: tuple[str, str], usage: Sequence[Mapping[str, Any]]) -> float:
        """What the answer used of one counter, by limit and subject."""
        rule = self.reserved.get(counter)
        if rule is None:
            return 0.0  # the limit is of another configuration than the reservation
        counted = [
            one for one in usage if rule.subject_kind != "provider" or one["provider_id"] == counter[1]
        ]
        match rule.measure:
            case "messages":
                return 1.0 if any(one["outcome"] in ANSWERED for one in counted) else 0.0
            case "tokens":
                return float(sum(_tokens(one) for one in counted))
            case "pictures" | "videos":
                return float(sum(one.get(rule.measure, 0) for one in counted))
        return float(sum(one.get("cost") or 0.0 for one in counted))


class Limits:
    """Asks and reserves; one per process. Without a rule that binds an answer nothing is read or written."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._warned: dict[tuple[str, str], float] = {}

    async def begin(
        self,
        payer: Payer,
        rules: Sequence[Rule],
        spec: RouteSpec,
        request: ChatRequest,
        request_id: str | None = None,
    ) -> Grant:
        """Reserve room for an answer. The same `request_id` again (a turn that is repeated after a crash)
        reserves the same room. Raises db.trouble.Unavailable."""
        amounts = _amounts(rules, spec, request)
        return await self.reserve(payer, rules, spec, amounts, (request_id or new_id(), RESERVED_FOR))

    async def reserve(
        self,
        payer: Payer,
        rules: Sequence[Rule],
        spec: RouteSpec,
        amounts: Mapping[str, float],
        held_by: tuple[str, float],
    ) -> Grant:
        """Reserve so much of each measure under a request's id, for so many seconds. Limits of measures that
        `amounts` does not have are not asked."""
        (own, seconds), moment = held_by, now()
        asked = [rule for rule in rules if rule.measure in amounts]
        binding = [(rule, who) for rule in asked for who in sorted(rule.subjects(payer, spec))]
        if not binding:
            return Grant(own, payer)
        wants = {
            (rule.id, who): Want(rule.id, who, rule.began(moment), amounts[rule.measure], rule.amount)
            for rule, who in binding
        }
        async with self._database.transaction(durable=False) as conn:
            full = [
                (rule, who)
                for rule, who in binding
                if not await rows.has_room(conn, wants[rule.id, who], own, moment)
            ]
            allowance = self._allowance(full, moment)
            held = {
                (rule.id, who): rule
                for rule, who in binding
                if rule.action == WARN or (rule, who) not in full
            }
            if allowance.stopped:
                held = {}
            await rows.reserve(conn, own, [wants[one] for one in held], moment + seconds)
        return Grant(own, payer, allowance, held)

    async def settle(self, grant: Grant, usage: Sequence[Mapping[str, Any]]) -> None:
        """`grant.settle` in a transaction of its own."""
        if grant.reserved:
            async with self._database.transaction(durable=False) as conn:
                await grant.settle(conn, usage)

    def _allowance(self, full: Sequence[tuple[Rule, str]], moment: float) -> Allowance:
        for rule, who in full:
            if rule.action == WARN:
                self._warn(rule, who, moment)
        hard = [(rule, who) for rule, who in full if rule.action != WARN]
        if not hard:
            return UNLIMITED
        of_all = [rule for rule, _ in hard if rule.subject_kind != "provider"]
        last = max(of_all, key=lambda rule: rule.resets_at(moment), default=None)
        return Allowance(
            free_only=any(rule.action == FREE for rule in of_all),
            stopped=any(rule.action == STOP for rule in of_all),
            exhausted=frozenset(who for rule, who in hard if rule.subject_kind == "provider"),
            resets_at=last.resets_at(moment) if last else min(rule.resets_at(moment) for rule, _ in hard),
            measure=last.measure if last else "",
        )

    def _warn(self, rule: Rule, who: str, moment: float) -> None:
        if self._warned.get((rule.id, who), 0.0) < rule.began(moment):
            self._warned[rule.id, who] = moment
            logger.warning("the limit %r is reached (%s %s)", rule.name or rule.id, rule.subject_kind, who)


def _amounts(rules: Sequence[Rule], spec: RouteSpec, request: ChatRequest) -> dict[str, float]:
    """What an answer is expected to use, by measure."""
    measures = {rule.measure for rule in rules}
    if not measures:
        return {}
    size = estimate(request)
    made = min(request.sampling.max_tokens or ANSWER_TOKENS, 4 * ANSWER_TOKENS)
    found = {MESSAGES: 1.0, TOKENS: float(size + made), MONEY: 0.0}
    if MONEY in measures:
        found[MONEY] = dearest(spec, size, made)
    return found


def _tokens(row: Mapping[str, Any]) -> int:
    return (row.get("input_tokens") or 0) + (row.get("output_tokens") or 0)
