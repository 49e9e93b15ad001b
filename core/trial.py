"""One answer that somebody watches come about: its deltas, and what every attempt does meanwhile."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from core.routing.attempts import CANCELLED, AllCandidatesFailed, AnswerBroken, Attempt, Skipped
from core.routing.route import RouteStream
from providers.types import Cited, Restart, Text, Thinking

LOOK_EVERY = 0.2  # seconds between looks at attempts while no delta comes
QUIET = 10.0  # seconds without an event after which a stream says that it is alive
ENDED, FAILED, STOPPED, BROKEN = "ended", "failed", "stopped", "broken"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Happened:
    """One event of a trial: `kind` is text, thinking, restart, cited, attempts (look at the trial) or end."""

    trial: "Trial"
    kind: str
    text: str = ""


@dataclass(slots=True)
class Trial:
    """Runs a route's stream as a task of its own: whoever watches may go at any moment, and the upstream
    call is closed, and `settle` is called, all the same.

    `state` is "" while it runs, then ended, failed (nobody answered), stopped or broken (a fault of ours).
    """

    number: int
    name: str
    stream: RouteStream
    settle: Callable[["Trial"], Awaitable[None]]
    text: str = ""
    thinking: str = ""
    sources: list[str] = field(default_factory=list)
    state: str = ""
    error: AllCandidatesFailed | None = None
    first_ms: float | None = None
    total_ms: float = 0.0
    _began: float = field(default_factory=time.monotonic)
    _task: asyncio.Task[None] | None = None
    _happened: asyncio.Queue[Happened] | None = None
    _seen: list[Attempt] = field(default_factory=list)

    def start(self, happened: asyncio.Queue[Happened]) -> None:
        """Begin; what happens goes into the queue."""
        self._happened = happened
        self._task = asyncio.create_task(self._run(), name=f"trial {self.name}")
        RUNNING.add(self._task)
        self._task.add_done_callback(RUNNING.discard)

    def stop(self) -> None:
        """End it now; what there is stays."""
        if self._task is not None and not self.state:
            self._task.cancel()

    async def done(self) -> None:
        """Wait until it is over and settled."""
        if self._task is not None:
            await asyncio.wait({self._task})

    @property
    def attempts(self) -> list[Attempt]:
        """Every attempt so far."""
        return self.stream.attempts

    @property
    def skipped(self) -> list[Skipped]:
        """Candidates that were not asked."""
        return self.error.skipped if self.error else self.stream.skipped

    def total(self, name: str) -> Any:
        """The sum of a column of the attempts; None when no attempt knows it."""
        known = [value for one in self.attempts if (value := getattr(one, name)) is not None]
        return sum(known) if known else None

    @property
    def priced(self) -> bool:
        """Whether the cost of every attempt that used something is known."""
        return all(one.cost is not None for one in self.attempts if one.output_tokens)

    async def _run(self) -> None:
        watching = asyncio.create_task(self._watch())
        try:
            self.state = await self._answered()
        except asyncio.CancelledError:
            self.state = STOPPED
        except Exception:  # the edge of a task: its reader is told, the log has the rest
            logger.exception("a trial of %s broke", self.name)
            self.state = BROKEN
        finally:
            watching.cancel()
        await self._leave()
        self.total_ms = self._elapsed()
        self._tell("attempts")
        self._tell("end")
        await self.settle(self)

    async def _answered(self) -> str:
        try:
            async for delta in self.stream:
                match delta:
                    case Text(text):
                        self._first()
                        self.text += text
                        self._tell("text", text)
                    case Thinking(text):
                        self.thinking += text
                        self._tell("thinking", text)
                    case Restart():
                        self.text, self.first_ms = "", None
                        self._tell("restart")
                    case Cited():
                        self.sources.append(delta.title)
                        self._tell("cited", delta.title)
        except AllCandidatesFailed as error:
            self.error = error
            return FAILED
        except AnswerBroken:
            return FAILED
        return ENDED

    async def _leave(self) -> None:
        await self.stream.aclose()
        for attempt in self.attempts:
            attempt.outcome = attempt.outcome or CANCELLED

    async def _watch(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(LOOK_EVERY)

    def look(self) -> None:
        """Tell if any attempt changed since the last look."""
        now = [replace(attempt) for attempt in self.attempts]
        if now != self._seen:
            self._seen = now
            self._tell("attempts")

    def _first(self) -> None:
        if self.first_ms is None:
            self.first_ms = self._elapsed()
            self.look()

    def _elapsed(self) -> float:
        return (time.monotonic() - self._began) * 1000

    def _tell(self, kind: str, text: str = "") -> None:
        if self._happened is not None:
            self._happened.put_nowait(Happened(self, kind, text))


RUNNING: set[asyncio.Task[None]] = set()


async def end_all() -> None:
    """Stop every trial of this process, and wait until what they used is written down."""
    for task in RUNNING:
        task.cancel()
    if RUNNING:
        await asyncio.wait(RUNNING)


async def watched(trials: list[Trial]) -> AsyncGenerator[Happened | None, None]:
    """All that happens in trials that run at once, and None when it was quiet for a while. Leaving it early
    stops those that still run."""
    happened: asyncio.Queue[Happened] = asyncio.Queue()
    try:
        for trial in trials:
            trial.start(happened)
        left = len(trials)
        while left:
            try:
                async with asyncio.timeout(QUIET):
                    event = await happened.get()
            except TimeoutError:
                yield None
                continue
            left -= event.kind == "end"
            yield event
    finally:
        for trial in trials:
            trial.stop()
