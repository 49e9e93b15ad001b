"""The fault matrix: each fault of a vendor, streamed or not, first or last in the chain, over real HTTP, with
one healthy route left; what a reader of our own channels sees, and what a client of the API."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.report import table
from core.routing.cooldown import Cooldown
from core.routing.route import AllCandidatesFailed, AnswerBroken, Router
from core.routing.spec import RouteSpec
from providers.types import ChatRequest, ChatTurn, ProviderConfig, Restart, Text
from tests.fakes.llm import FAULTS, FakeLLM, Fault, Healthy, answer_text, fake_llm, rate_limit

QUESTION = "hello big world"
REQUEST = ChatRequest((ChatTurn("user", QUESTION),))
GOOD = answer_text("good", QUESTION)
MESSAGES = 4
AT_ONCE = 6
STUMBLE = 0.5  # seconds that the good one asks for when it stumbles
SLACK = 1.0  # seconds for a busy machine
PLACES = ("first", "last", "last, the first one stumbles")
BRIEF = ("transient", "timeout", "truncated", "empty")  # they rest after the second failure in a row
UNLEARNT = ("context", "content")
HANGS = {"hang": "first_token", "hang_headers": "first_token", "gap": "gap"}
REFUSED = Fault("connect", misbehaviour="refused")  # nobody listens
ALL = {**{name: fault for name, fault in FAULTS.items() if fault.expected != "caller"}, "refused": REFUSED}


@dataclass(frozen=True)
class Limits:
    """Seconds that a vendor may take."""

    first_token: float = 3.0
    gap: float = 3.0
    whole: float = 4.0
    connect: float = 2.0


@dataclass
class Case:
    """One cell: `replaces` is a channel of ours, else a client of the API."""

    name: str
    streamed: bool
    place: str
    replaces: bool
    errors: int = 0
    partial: int = 0
    broken: int = 0
    asked: list[int] = field(default_factory=list)
    slowest: float = 0.0
    allowed: float = 0.0

    @property
    def fault(self) -> Fault:
        """What goes wrong."""
        return ALL[self.name]

    @property
    def most_wasted(self) -> int:
        """Calls that all messages together may waste: until it rests, or one each where nothing is learnt."""
        if self.place == "last":
            return 0
        if self.place != "first":
            return 1
        expected = self.fault.expected
        return MESSAGES if expected in UNLEARNT else 2 if expected in BRIEF else 1

    @property
    def faultless(self) -> bool:
        """Whether nobody saw anything of it. A client that has seen a part is told that it broke."""
        told = 0 if self.replaces or not self.streamed or not self.fault.after else MESSAGES
        seen = self.errors + self.partial
        wasted = sum(self.asked) <= self.most_wasted and max(self.asked, default=0) <= 1
        return not seen and wasted and self.broken <= told and self.slowest <= self.allowed


def cases() -> Iterator[Case]:
    """Every cell."""
    for replaces in (True, False):
        for name in ALL:
            for streamed in (True, False):
                for place in PLACES:
                    yield Case(name, streamed, place, replaces)


async def matrix(limits: Limits) -> list[Case]:
    """All cells, measured."""
    room = asyncio.Semaphore(AT_ONCE)

    async def measured(case: Case) -> Case:
        async with room, fake_llm() as llm:
            await _measure(case, llm, limits)
        return case

    return list(await asyncio.gather(*(measured(case) for case in cases())))


def run() -> str:
    """Measure; returns a Markdown section."""
    return told(asyncio.run(matrix(Limits())))


def told(measured: list[Case]) -> str:
    """The cells as a table, those of one fault and one kind of reader in a line."""
    rows = []
    for replaces in (True, False):
        for name in ALL:
            mine = [case for case in measured if case.name == name and case.replaces == replaces]
            first = [case for case in mine if case.place == "first"]
            slowest = max(mine, key=lambda case: case.slowest - case.allowed)
            rows.append(
                (
                    "channel" if replaces else "API client",
                    f"{name} ({ALL[name].expected})",
                    sum(len(case.asked) for case in mine),
                    sum(case.errors for case in mine),
                    sum(case.partial for case in mine),
                    sum(case.broken for case in mine),
                    max(max(case.asked) for case in mine),
                    max(sum(case.asked) for case in first),
                    f"{slowest.slowest:.2f} / {slowest.allowed - SLACK:.2f}",
                    "yes" if all(case.faultless for case in mine) else "**no**",
                )
            )
    head = ("seen by", "fault (class)", "answers", "errors", "partial answers", "told that it broke",
            "wasted calls a message", f"of {MESSAGES} messages", "slowest / allowed, s", "kept")  # fmt: skip
    return table(head, rows)


async def _measure(case: Case, llm: FakeLLM, limits: Limits) -> None:
    fault = case.fault
    if fault is not REFUSED:
        llm.script("bad", fault)
    chain = ("bad:bad", "good:good") if case.place == "first" else ("good:good", "bad:bad")
    stumbles = case.place == PLACES[2]
    options = {"first_token": limits.first_token, "gap": limits.gap, "whole": limits.whole,
               "connect": limits.connect, "stream": case.streamed}  # fmt: skip
    refused = "http://127.0.0.1:9/v1"
    providers = (
        ProviderConfig(
            "bad", "openai-compatible", refused if fault is REFUSED else llm.url, ("sk-b",), options
        ),
        ProviderConfig("good", "openai-compatible", llm.url, ("sk-g",), options),
    )
    spec = RouteSpec("matrix", chain, {}, providers)
    router = Router(cooldown=Cooldown(jitter=lambda: 0.0))
    case.allowed = _allowed(case, limits)
    for _ in range(1 if stumbles else MESSAGES):
        if stumbles:  # the first in the chain fails once: the last one is asked, and the first again
            llm.script("good", rate_limit(STUMBLE), Healthy())
        await _ask(case, router, spec)
    await router.close()


def _allowed(case: Case, limits: Limits) -> float:
    """The deadline of the fault's class, and a healthy answer; a stumble's rest too."""
    kind = case.fault.misbehaviour
    deadline = limits.connect if kind == "refused" else 0.0
    if kind in HANGS:
        deadline = getattr(limits, HANGS[kind]) if case.streamed else limits.whole
        if kind == "hang_headers" and not case.streamed:
            deadline = limits.whole
    rest = STUMBLE if case.place == PLACES[2] else 0.0
    return deadline + rest + SLACK


async def _ask(case: Case, router: Router, spec: RouteSpec) -> None:
    began = time.monotonic()
    stream = router.open(spec, REQUEST, began + 60, replaces=case.replaces)
    text = ""
    try:
        async for delta in stream:
            if isinstance(delta, Text):
                text += delta.text
            elif isinstance(delta, Restart):
                text = ""
                case.errors += not case.replaces
        case.partial += text != GOOD
    except AllCandidatesFailed:
        case.errors += 1
    except AnswerBroken:
        case.broken += 1
    finally:
        await stream.aclose()
    case.slowest = max(case.slowest, time.monotonic() - began)
    case.asked.append(sum(one.provider_id == "bad" for one in stream.attempts))
