"""One prompt to several models or routes at once, with time, tokens and cost of each."""

import asyncio
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel
from starlette.responses import Response

from admin.api.calls import Actor, Parts, api_router
from admin.api.errors import language_of
from admin.i18n import SPOKEN, Language
from admin.trial_events import Watching, lines, steps_of, summary
from core.compare import CompareInput, Question, Trials
from core.trial import Trial, watched

router = api_router("compare")


class Compared(BaseModel):
    """What one model or route made of the prompt. `state` is ended, failed, stopped or broken; `problem` says
    why in words. `cost` is in US dollars, of the attempts whose price is known (`cost_known`: of all)."""

    model: str
    state: str
    text: str
    reasoning: str
    problem: str
    answered_by: str | None
    first_token_ms: float | None
    total_ms: float
    input_tokens: int | None
    output_tokens: int | None
    estimated: bool
    cost: float | None
    cost_known: bool
    words: int
    sources: list[str]
    attempts: list[dict[str, Any]]
    skipped: list[dict[str, Any]]


class Comparison(BaseModel):
    """The results, in the order of `models`."""

    results: list[Compared]


def _spoken(request: Request) -> Language:
    return SPOKEN[language_of(request)]


@router.post("/compare", response_model=Comparison)
async def compare(
    request: Request,
    asked: CompareInput,
    parts: Parts,
    actor: Actor,
    t: Annotated[Language, Depends(_spoken)],
) -> Any:
    """Ask them all. With `stream`: server-sent events text, thinking, restart, attempts and end, each with
    the number `n` of its model."""
    settings = asked.settings.model_dump(exclude_none=True)
    question = Question(asked.turns, "compare", actor, t.code, settings)
    book = await parts.book.current()
    trials = await Trials(parts.router, parts.database).open(book, asked.models, question)
    if asked.stream:
        answer: Response = Watching(lines(trials, t))
        return answer
    leaving = asyncio.create_task(_stopped_when_left(request, trials))
    async for _event in watched(trials):
        pass
    leaving.cancel()
    return Comparison(
        results=[
            Compared(
                model=trial.name, text=trial.text, reasoning=trial.thinking,
                **summary(trial, t), **steps_of(trial, t),
            )
            for trial in trials
        ]
    )  # fmt: skip


async def _stopped_when_left(request: Request, trials: list[Trial]) -> None:
    """Nobody pays for answers that nobody waits for."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    for trial in trials:
        trial.stop()
