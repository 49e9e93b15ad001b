"""The wait for a task, and what is read out of errors."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from providers.errors import ErrorClass, ProviderError
from providers.media.lost import answer_lost
from providers.media.polling import Pace, final, looked_late, poll
from providers.media.refusals import as_refusal, without
from providers.media.types import Progress
from tests.providers.media.cases import POLLED, Case, error_of, stage

QUICK = Pace(0.001, 1.5, 0.01, 2.0)
PROMPT = 'A "quoted" Хор\n of forty singers, and more'


def _looks(*said: Progress | ErrorClass | None) -> Callable[[], Awaitable[Progress | None]]:
    left = list(said)

    async def look() -> Progress | None:
        one = left.pop(0)
        if isinstance(one, ErrorClass):
            raise ProviderError(one, "said")
        return one

    return look


async def _waited(*said: Progress | ErrorClass | None, began: float | None = None) -> int:
    return len([one async for one in poll(_looks(*said), QUICK, began or time.time())])


async def test_looks_until_it_is_done() -> None:
    miss, busy = ErrorClass.TRANSIENT, ErrorClass.RATE_LIMIT
    assert await _waited(Progress(), miss, miss, Progress(), busy, busy, busy, busy, miss, None) == 2


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        ((ErrorClass.CONNECT,) * 3, "connect"), ((ErrorClass.TRANSIENT,) * 3, "transient"),
        ((ErrorClass.TIMEOUT,) * 3, "transient"), ((ErrorClass.MODEL_GONE,) * 3, "truncated"),
        ((ErrorClass.CONTENT,), "content"), ((ErrorClass.CREDENTIAL,), "credential"),
        ((ErrorClass.CALLER,), "truncated"), ((ErrorClass.TRUNCATED,), "truncated"),
    ],
)  # fmt: skip
async def test_looks_that_end_the_wait(said: tuple[ErrorClass, ...], raised: str) -> None:
    with pytest.raises(ProviderError, match=raised):
        await _waited(Progress(), *said)


async def test_the_deadline_counts_from_the_submit() -> None:
    with pytest.raises(ProviderError, match="timeout"):
        await _waited(Progress(), began=time.time() - 3)


@pytest.mark.parametrize("case", POLLED[:1] + POLLED[-1:], ids=str)
async def test_a_refusal_is_heard_at_the_first_look(case: Case, tmp_path: Path) -> None:
    async with stage(case) as (fake, model):
        fake.behave("refuse_later")
        await error_of(case, model, tmp_path)
        (work,) = fake.works.values()
        assert work.looks == fake.looks


def test_errors_of_tasks_that_have_ended() -> None:
    for one in (ErrorClass.TRANSIENT, ErrorClass.CONNECT, ErrorClass.RATE_LIMIT, ErrorClass.TIMEOUT):
        assert final(ProviderError(one)).error_class == ErrorClass.TRUNCATED
        assert looked_late(ProviderError(one)).error_class in (ErrorClass.TRANSIENT, ErrorClass.CONNECT)
    assert final(ProviderError(ErrorClass.CONTENT)).error_class == ErrorClass.CONTENT
    assert looked_late(ProviderError(ErrorClass.MODEL_GONE)).error_class == ErrorClass.EMPTY


@pytest.mark.parametrize(
    ("error_class", "status", "lost"),
    [
        ("transient", None, True), ("timeout", None, True), ("truncated", None, True),
        ("connect", None, False), ("credential", None, False), ("caller", None, False),
        ("transient", 500, False),
        ("rate_limit", 429, False), ("overload", 503, False), ("transient", 502, True),
        ("timeout", 504, True),
        ("transient", 200, False),
    ],
)  # fmt: skip
def test_lost_answers(error_class: str, status: int | None, lost: bool) -> None:
    assert answer_lost(ProviderError(ErrorClass(error_class), status=status)) == lost


@pytest.mark.parametrize(
    "text",
    [
        f"bad: {PROMPT}!", 'bad: "A \\"quoted\\" Хор\\n of forty singers, and more"',
        'bad: "A \\"quoted\\" \\u0425\\u043e\\u0440\\n of forty singers, and more"', f"bad: {PROMPT[:30]}...",
    ],
)  # fmt: skip
def test_what_was_asked_is_not_in_a_message(text: str) -> None:
    told = without(text, (PROMPT, "x", ""))
    assert told.startswith("bad") and "quoted" not in told and "***" in told


def test_words_of_a_refusal() -> None:
    def said(message: str, status: int | None = 400, was: ErrorClass = ErrorClass.CALLER) -> ErrorClass:
        return as_refusal(ProviderError(was, message, status=status)).error_class

    assert said("the prompt may contain sensitive information") == ErrorClass.CONTENT
    assert said("Failure to pass the risk control system", None, ErrorClass.TRANSIENT) == ErrorClass.CONTENT
    assert said("flagged by moderation", 403, ErrorClass.CREDENTIAL) == ErrorClass.CONTENT
    assert said("the safety service is down", 503, ErrorClass.TRANSIENT) == ErrorClass.TRANSIENT
    assert said("wrong key", 403, ErrorClass.CREDENTIAL) == ErrorClass.CREDENTIAL
    assert said("width must be a multiple of 32") == ErrorClass.CALLER
    assert said("sensitive", 429, ErrorClass.RATE_LIMIT) == ErrorClass.RATE_LIMIT
