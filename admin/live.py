"""What happens right now, for pages that watch: one subscription to the orchestrator, many readers."""

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from starlette.responses import StreamingResponse

from core.fleet.control import Control, ControlError

logger = logging.getLogger(__name__)

Event = dict[str, Any]
PING_SECONDS = 15.0
RECONNECT_SECONDS = 1.0
GATHER_SECONDS = 0.5
BACKLOG = 500
LINE_END = re.compile("\r\n|\r|\n")  # what a reader of the stream takes for one; str.splitlines knows more
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


class Live:
    """Hands the orchestrator's events on. Best effort: a slow reader misses the oldest."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self.readers: dict[asyncio.Queue[Event | None], Callable[[Event], bool]] = {}
        self.closing = False
        self.task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen."""
        self.task = asyncio.create_task(self._listen(), name="live")

    async def close(self) -> None:
        """End every reader's stream."""
        self.closing = True
        for queue in self.readers:
            _put(queue, None)
        if self.task:
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.task

    @contextlib.contextmanager
    def reader(self, wants: Callable[[Event], bool]) -> Iterator[asyncio.Queue[Event | None]]:
        """A queue of the events that the reader wants; None in it is the end."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(BACKLOG)
        self.readers[queue] = wants
        try:
            yield queue
        finally:
            del self.readers[queue]

    def publish(self, event: Event) -> None:
        """Hand an event to whoever wants it."""
        for queue, wants in self.readers.items():
            if wants(event):
                _put(queue, event)

    async def _listen(self) -> None:
        while True:
            try:
                async for event in self.control.events():
                    self.publish(event)
            except (ControlError, OSError) as error:
                logger.debug("no events from the orchestrator: %s", error)
            await asyncio.sleep(RECONNECT_SECONDS)


def _put(queue: asyncio.Queue[Event | None], event: Event | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(event)


def message(data: str, event: str = "") -> str:
    """One message of an event stream."""
    name = f"event: {event}\n" if event else ""
    return name + "".join(f"data: {line}\n" for line in LINE_END.split(data)) + "\n"


def json_message(event: str, value: object) -> str:
    """A named message that carries JSON."""
    return message(json.dumps(value, ensure_ascii=False, separators=(",", ":")), event)


def partial(target: str, html: str, swap: str = "innerMorph") -> str:
    """HTML for one place of the page, as htmx takes it from a stream."""
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'


async def events(live: Live, wants: Callable[[Event], bool]) -> AsyncIterator[Event | None]:
    """Events as they come, and None whenever it was quiet for a while; ends with the process."""
    with live.reader(wants) as queue:
        while not live.closing:
            try:
                event = await asyncio.wait_for(queue.get(), PING_SECONDS)
            except TimeoutError:
                yield None
                continue
            if event is None:
                return
            yield event


async def repainted(
    live: Live, wants: Callable[[Event], bool], paint: Callable[[], Awaitable[str]], idle: float = 5.0
) -> AsyncIterator[str]:
    """What `paint` makes, again after each event (gathered for a moment) and after `idle` without one.
    Only what changed is sent."""
    last = ""
    quiet = 0.0
    with live.reader(wants) as queue:
        while not live.closing:
            text = await paint()
            if text != last:
                last, quiet = text, 0.0
                yield text
            elif quiet >= PING_SECONDS:
                quiet = 0.0
                yield ": ping\n\n"
            with contextlib.suppress(TimeoutError):
                if await asyncio.wait_for(queue.get(), idle) is None:
                    return
            quiet += idle
            await asyncio.sleep(GATHER_SECONDS)
            while not queue.empty():
                if queue.get_nowait() is None:
                    return


def stream(chunks: AsyncIterator[str]) -> StreamingResponse:
    """A response that sends an event stream."""
    return StreamingResponse(chunks, media_type="text/event-stream", headers=HEADERS)
