"""What happened in a visitor's chat lately: events with growing ids, kept in memory for replay."""

import asyncio
import time
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, NamedTuple

MOST_EVENTS = 2000
FAR_AHEAD = 24 * 3600 * 1000  # milliseconds
OUTDATED = {"end": ("start", "delta", "restart", "progress"), "progress": ("progress",)}


class EventId(NamedTuple):
    """`turn.sequence`; the turn is a time in milliseconds, so ids grow over restarts too."""

    turn: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.turn}.{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> "EventId | None":
        """The id in a `Last-Event-ID` header; None for anything else."""
        turn, _, sequence = text.partition(".")
        if len(text) > 40 or not (turn.isascii() and turn.isdigit()):
            return None
        if not (sequence.isascii() and sequence.isdigit()):
            return None
        return cls(int(turn), int(sequence))


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a chat."""

    id: EventId
    name: str
    data: dict[str, Any]


class Ring:
    """The events of one visitor. Readers keep their own place; a place before `floor` has a gap."""

    def __init__(self) -> None:
        self._last = EventId(time.time_ns() // 1_000_000, 0)
        self._events: list[Event] = []
        self.floor = self._last
        self.listeners: set[asyncio.Event] = set()  # set when there is news

    @property
    def last(self) -> EventId:
        """The newest id."""
        return self._last

    def publish(self, name: str, **data: Any) -> None:
        """Add an event; a `start` begins a new turn, an `end` takes the place of its turn's parts,
        and progress that of earlier progress."""
        if name == "start":
            self._last = EventId(max(time.time_ns() // 1_000_000, self._last.turn + 1), 0)
        self._last = EventId(self._last.turn, self._last.sequence + 1)
        if name in OUTDATED:
            self._forget(data["msg"], OUTDATED[name])
        self._events.append(Event(self._last, name, data))
        if len(self._events) > MOST_EVENTS:
            self.floor = self._events[MOST_EVENTS // 2].id
            del self._events[: MOST_EVENTS // 2 + 1]
        for listener in self.listeners:
            listener.set()

    def catch_up(self, place: EventId) -> None:
        """Go on after a place that is ahead of this ring: the clock of a former process was."""
        if self._last < place <= EventId(self._last.turn + FAR_AHEAD, 0):
            self._last = place

    def after(self, place: EventId) -> list[Event]:
        """The events after a place, oldest first."""
        return self._events[bisect_right(self._events, place, key=lambda event: event.id) :]

    def _forget(self, message_id: str, names: tuple[str, ...]) -> None:
        self._events = [
            event for event in self._events if event.name not in names or event.data.get("msg") != message_id
        ]
