"""One chat completion on its way: its routes opened, their deltas sent as chunks or as a whole."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

from admin.gateway.asked import Asked
from admin.gateway.chunks import DONE, Chunks, Whole, completion, counted, in_band
from admin.gateway.errors import all_failed, broken, route_header
from admin.gateway.http import Header, send_json
from admin.gateway.outlet import Outlet
from admin.gateway.pace import Pace
from admin.gateway.stepping import step
from core.routing.route import AllCandidatesFailed, AnswerBroken, Attempt, RouteStream, Skipped
from providers.types import CallPart, Finish, Restart, Text, Thinking

MOST_READY = 256  # chunks that leave even while more is ready


@dataclass(slots=True)
class Answering:
    """A request under way. `open` opens the route once more: each choice has a stream of its own."""

    asked: Asked
    outlet: Outlet
    request_id: str
    reasoning: bool
    open: Callable[[], RouteStream]
    streams: list[RouteStream] = field(default_factory=list)
    broken: bool = False
    _ready: list[str] = field(default_factory=list)
    _to_begin: int = 0
    _begun: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def attempts(self) -> list[Attempt]:
        """Every attempt so far."""
        return [attempt for stream in self.streams for attempt in stream.attempts]

    @property
    def skipped(self) -> list[Skipped]:
        """Candidates that were not asked, for the first choice as for the others."""
        return self.streams[0].skipped if self.streams else []

    @property
    def headers(self) -> list[Header]:
        """Which route answers, and the id that joins the rows of usage."""
        route = route_header(self.asked.model, self.attempts, self.skipped)
        return [route, (b"x-request-id", self.request_id.encode())]

    async def run(self) -> None:
        """Answer. Raises ApiError as long as nothing was sent."""
        self.streams += [self.open() for _ in range(self.asked.count)]
        try:
            await (self._stream() if self.asked.stream else self._whole())
        except (AllCandidatesFailed, AnswerBroken) as error:
            refusal = all_failed(error) if isinstance(error, AllCandidatesFailed) else broken()
            refusal.headers |= {name.decode(): value.decode() for name, value in self.headers}
            raise refusal from error
        finally:
            for stream in self.streams:
                await stream.aclose()

    async def _stream(self) -> None:
        self._to_begin = len(self.streams)
        pace = Pace(self._flush)
        try:
            await _all(self._choice(index, stream, pace) for index, stream in enumerate(self.streams))
            await pace.settled()
        finally:
            pace.stop()
        if not self.broken:
            if self.asked.include_usage:
                self._ready.append(self._chunks(0).usage(counted(self._answers())))
            self._ready.append(DONE)
        await self._flush()
        await self.outlet.end()

    async def _choice(self, index: int, stream: RouteStream, pace: Pace) -> None:
        chunks, ready = self._chunks(index), self._ready
        begun = False
        try:
            while True:
                delta = await step(stream.__anext__(), pace.waiting)
                if not begun:
                    await self._begin()
                    begun = True
                    ready.append(chunks.role())
                match delta:
                    case Text(text):
                        ready.append(chunks.text(text))
                        if len(ready) > MOST_READY:
                            await self._flush()
                    case Thinking(text):
                        if self.reasoning:
                            ready.append(chunks.reasoning(text))
                    case CallPart():
                        ready.append(chunks.call(delta))
                    case Finish(reason):
                        ready.append(chunks.finish(reason))
                        return
        except (AllCandidatesFailed, AnswerBroken):
            if not begun:
                raise
            self.broken = True
            ready += (in_band(broken()), chunks.finish("error"))

    async def _begin(self) -> None:
        """The head, when every choice has something to show: until then all may still fail as one."""
        self._to_begin -= 1
        if self._to_begin:
            await self._begun.wait()
        else:
            await self.outlet.start_stream(self.headers)
            self._begun.set()

    async def _flush(self) -> None:
        if self._ready:
            body = "".join(self._ready).encode("utf-8", "replace")
            self._ready.clear()
            await self.outlet.write(body)

    async def _whole(self) -> None:
        found = [Whole() for _ in self.streams]
        await _all(_collect(stream, whole) for stream, whole in zip(self.streams, found, strict=True))
        choices = [whole.choice(index, reasoning=self.reasoning) for index, whole in enumerate(found)]
        body = completion(self._id, self.asked.model, choices, counted(self._answers()))
        await send_json(self.outlet.send, 200, body, self.headers)

    def _answers(self) -> list[Attempt]:
        return [stream.attempts[-1] for stream in self.streams if stream.attempts]

    def _chunks(self, index: int) -> Chunks:
        return Chunks(self._id, self.asked.model, index, counts=self.asked.include_usage)

    @property
    def _id(self) -> str:
        return f"chatcmpl-{self.request_id}"


async def _collect(stream: RouteStream, whole: Whole) -> None:
    async for delta in stream:
        match delta:
            case Text(text):
                whole.texts.append(text)
            case Thinking(text):
                whole.thoughts.append(text)
            case CallPart():
                whole.call(delta)
            case Restart():
                whole.clear()
            case Finish(reason):
                whole.reason = reason


async def _all(parts: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All of them at once; the first error of one ends the others."""
    first, *others = parts
    if not others:
        await first
        return
    tasks = [asyncio.create_task(part) for part in (first, *others)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
