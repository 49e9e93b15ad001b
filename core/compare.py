"""Questions that operators and programs put to several routes or models at once, to see who answers how."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from core.configuration.changes import no_such, refuse
from core.configuration.configs import Config
from core.configuration.errors import wrong
from core.configuration.sampling_configs import SamplingConfig
from core.limits.limits import Grant, Limits
from core.limits.payer import Payer
from core.limits.rule import rules_of
from core.routing.book import Book
from core.routing.route import Router
from core.routing.spec import RouteSpec
from core.sampling import length_hint, merged, to_sampling
from core.trial import Trial
from core.usage import rows_of
from db import usage
from db.database import Database
from db.trouble import Unavailable
from providers.types import ChatRequest, ChatTurn

DEADLINE = 180.0  # seconds for one answer
MOST = 6
logger = logging.getLogger(__name__)


class CompareTurn(Config):
    """One message of a talk."""

    role: Literal["system", "user", "assistant"] = "user"
    content: str = Field(max_length=200_000, title="Text")


class CompareInput(Config):
    """What is asked, and whom: a route's id, "provider:model", "provider:auto" or "auto"."""

    prompt: str = Field("", max_length=200_000, title="Prompt", description="Or messages.")
    messages: list[CompareTurn] = Field(default_factory=list, max_length=200, title="Messages")
    models: list[str] = Field(min_length=1, max_length=MOST, title="Models and routes")
    settings: SamplingConfig = Field(default_factory=SamplingConfig, title="Generation settings")
    stream: bool = Field(False, title="Stream", description="Server-sent events instead of one answer.")

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if bool(self.prompt.strip()) == bool(self.messages):
            raise wrong("prompt_or_messages")
        return self

    @property
    def turns(self) -> tuple[ChatTurn, ...]:
        """The talk."""
        if not self.messages:
            return (ChatTurn("user", self.prompt),)
        return tuple(ChatTurn(one.role, one.content) for one in self.messages)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; `source` is playground or compare, `asker` names who wants to know."""

    turns: tuple[ChatTurn, ...]
    source: str
    asker: str = ""
    language: str = "en"
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trials:
    """Opens trials, and writes down what they used."""

    router: Router
    database: Database

    async def open(self, book: Book, names: Sequence[str], question: Question) -> list[Trial]:
        """A trial for each name. Raises Invalid for names that nothing has."""
        specs = _specs(book, names)
        rules, payer = rules_of(book.limits), Payer(question.source, user_key=question.asker)
        limits = Limits(self.database)
        grants = [await limits.begin(payer, rules, spec, request_of(spec, question)) for spec in specs]
        return [
            self._trial(number, name, spec, question, grant)
            for number, (name, spec, grant) in enumerate(zip(names, specs, grants, strict=True))
        ]

    def _trial(self, number: int, name: str, spec: RouteSpec, question: Question, grant: Grant) -> Trial:
        until = asyncio.get_running_loop().time() + DEADLINE

        async def settle(trial: Trial) -> None:
            try:
                await self._settle(trial, spec, grant)
            except Unavailable:
                logger.error("the database is away: the usage of a %s answer is lost", question.source)

        stream = self.router.open(spec, request_of(spec, question), until, allowance=grant.allowance)
        return Trial(number, name, stream, settle)

    async def _settle(self, trial: Trial, spec: RouteSpec, grant: Grant) -> None:
        rows = rows_of(trial.attempts, trial.skipped, grant, spec.id)
        async with self.database.transaction() as conn:
            await usage.add_usage(conn, rows)
            await grant.settle(conn, rows)


def request_of(spec: RouteSpec, question: Question) -> ChatRequest:
    """The question as this route asks it: its settings under those of the question."""
    settings = merged(spec.settings, question.settings)
    hint = length_hint(settings, question.language)
    turns = (ChatTurn("system", hint), *question.turns) if hint else question.turns
    if hint and question.turns and question.turns[0].role == "system":
        first, *rest = question.turns
        turns = (ChatTurn("system", f"{first.text}\n\n{hint}"), *rest)
    return ChatRequest(turns, to_sampling(settings), question.language)


def _specs(book: Book, names: Sequence[str]) -> list[RouteSpec]:
    known = [*book.routes, *(f"{one}:auto" for one in book.providers), "auto"]
    found = [book.find(name) for name in names]
    refuse(
        [
            no_such(f"models[{place}]", "model", name, known)
            for place, (name, spec) in enumerate(zip(names, found, strict=True))
            if spec is None
        ]
    )
    return [spec for spec in found if spec is not None]
