"""Generating one answer: the route's deltas go into the preview, and what comes out is an Answer."""

import asyncio
from collections.abc import Callable

from core.answers import Answer, failure, over_limit
from core.channel import Preview
from core.routing.route import AllCandidatesFailed, RouteStream
from core.texts import text
from providers.types import CallPart, Cited, Restart, Text, Thinking

KNOWLEDGE = "knowledge"
LONGEST_THOUGHTS = 20_000  # characters of reasoning that are kept


class Generation:
    """Runs a route's stream as a task of its own, so that `stop()` ends it even before the first token.
    Reasoning is let go of unless `thoughts` says that people may see it."""

    def __init__(
        self,
        stream: RouteStream,
        preview: Preview,
        publish: Callable[[str | None], None],
        *,
        thoughts: bool = False,
    ) -> None:
        self._stream = stream
        self._room = LONGEST_THOUGHTS if thoughts else 0
        self._thoughts: list[str] = []
        self._preview = preview
        self._publish = publish
        self._parts: list[str] = []
        self._cited: Cited | None = None
        self._calls: dict[int, tuple[str, str]] = {}
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """End the answer now and keep what there is."""
        self._stop.set()

    async def run(self, language: str) -> Answer:
        """The finished, stopped or failed answer with its usage."""
        consuming = asyncio.create_task(self._consume())
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({consuming, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if consuming.done():
                answer = self._finished(consuming, language)
            else:
                answer = await self._stopped(consuming, language)
            answer.attempts, answer.skipped = self._stream.attempts, self._stream.skipped
            return answer
        finally:
            consuming.cancel()
            stopping.cancel()
            await self._stream.aclose()

    async def _consume(self) -> None:
        async for delta in self._stream:
            match delta:
                case Text(part):
                    self._parts.append(part)
                    self._preview.feed(part)
                    self._publish(part)
                case Thinking(part):
                    self._think(part)
                case CallPart(index, _, name, arguments):
                    known = self._calls.get(index, ("", ""))
                    self._calls[index] = (known[0] + name, known[1] + arguments)
                case Restart():
                    self._calls.clear()
                    self._parts.clear()
                    self._room += sum(map(len, self._thoughts))
                    self._thoughts.clear()
                    self._cited = None
                    self._preview.restart()
                    self._publish(None)
                case Cited():
                    self._cited = delta

    def _think(self, part: str) -> None:
        if self._room:
            kept = part[: self._room]
            self._thoughts.append(kept)
            self._room -= len(kept)

    async def _stopped(self, consuming: asyncio.Task[None], language: str) -> Answer:
        consuming.cancel()
        await asyncio.gather(consuming, return_exceptions=True)
        await self._stream.aclose()
        partial = "".join(self._parts).strip()
        return Answer(
            partial or text("stopped", language), "model", self._model(), status="stopped", keep=bool(partial)
        )

    def _finished(self, consuming: asyncio.Task[None], language: str) -> Answer:
        try:
            consuming.result()
        except AllCandidatesFailed as error:
            answer = _failed(error, language)
            if answer.source_id == "unknown":
                answer = Answer(answer.text, KNOWLEDGE, "unknown", keep=True)
        else:
            answer = Answer("".join(self._parts).strip(), "model", self._model(), keep=True)
            answer.reasoning = "".join(self._thoughts).strip()
            answer.calls = tuple(self._calls[index] for index in sorted(self._calls))
            if self._cited:
                answer.source, answer.source_id = KNOWLEDGE, self._cited.ref
        return answer

    def _model(self) -> str:
        last = self._stream.attempts[-1:] or None
        return f"{last[0].provider_id}:{last[0].model}" if last else ""


def _failed(error: AllCandidatesFailed, language: str) -> Answer:
    """What the reader is told when nobody answered."""
    if error.over_limit:
        return over_limit(error.retry_at, language)
    if error.too_long:
        size, largest = error.too_long
        return failure("too_long_for_models", language, size=size, largest=largest)
    return failure(_words_for(error), language)


def _words_for(error: AllCandidatesFailed) -> str:
    tried = {attempt.provider_id for attempt in error.attempts}
    if tried <= {KNOWLEDGE} and any(one.reason == "images" for one in error.skipped):
        return "cannot_see"
    if tried == {KNOWLEDGE}:
        return "unknown"
    return "moderated" if error.moderated else "unavailable"
