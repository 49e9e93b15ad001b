"""The stream of what happens in a chat, as server-sent events."""

import asyncio
import json
from collections.abc import Callable, Sequence

from widget.refusals import Refused
from widget.requests import Request
from widget.ring import Event, EventId
from widget.visitors import STREAMS_OF_ONE, Chat

HEARTBEAT_EVERY = 15.0
SSE_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
]


class Stream:
    """One reader of a chat's events, from its own place on."""

    def __init__(self, request: Request, chat: Chat, permitted: Callable[[], bool]) -> None:
        self._request = request
        self._chat = chat
        self._permitted = permitted
        self._news = asyncio.Event()
        self._gone = False
        text = request.headers.get("last-event-id") or request.query.get("after", "")
        self._place = EventId.parse(text) or chat.ring.floor
        chat.ring.catch_up(self._place)

    def wake(self) -> None:
        """Look again: something changed besides the events."""
        self._news.set()

    def end(self) -> None:
        """End the stream; the reader comes back."""
        self._gone = True
        self._news.set()

    async def run(self) -> None:
        """Send events until the reader goes or `end` is called."""
        if self._chat.streams >= STREAMS_OF_ONE:
            raise Refused("too_many", after=5)
        self._chat.streams += 1
        self._chat.ring.listeners.add(self._news)
        watching = asyncio.create_task(self._watch())
        try:
            headers = [*SSE_HEADERS, *self._request.cors()]
            await self._request.send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._write(b": hello\n\n")
            while not self._gone:
                await self._turn()
            await self._request.send({"type": "http.response.body", "body": b""})
        finally:
            watching.cancel()
            self._chat.ring.listeners.discard(self._news)
            self._chat.streams -= 1

    async def _turn(self) -> None:
        ring = self._chat.ring
        self._news.clear()
        if not self._permitted():
            refusal = Refused("origin_refused").body(self._request.language)["error"]
            await self._write(encode([Event(ring.last, "error", refusal)]))
            self._gone = True
        elif self._place < ring.floor:
            self._place = ring.last
            await self._write(encode([Event(ring.last, "status", {"state": "resync"})]))
        elif events := ring.after(self._place):
            self._place = events[-1].id
            await self._write(encode(events))
        else:
            await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(HEARTBEAT_EVERY):
                await self._news.wait()
        except TimeoutError:
            await self._write(b": ping\n\n")

    async def _watch(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self.end()

    async def _write(self, chunk: bytes) -> None:
        await self._request.send({"type": "http.response.body", "body": chunk, "more_body": True})


def encode(events: Sequence[Event]) -> bytes:
    """Events as they go over the wire."""
    return b"".join(
        f"id: {event.id}\nevent: {event.name}\ndata: {json.dumps(event.data, ensure_ascii=False)}\n\n".encode(
            "utf-8", "replace"
        )
        for event in events
    )
