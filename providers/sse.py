"""Server-sent events, read from bytes that arrive in any pieces."""

from dataclasses import dataclass

from providers.errors import ErrorClass, ProviderError

LONGEST_EVENT = 1 << 20


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `name` is "" when the server gave none."""

    name: str
    data: str


class SseDecoder:
    """Feed it bytes, get events. `comments` counts the keep-alive comments seen."""

    def __init__(self) -> None:
        self.comments = 0
        self._rest = b""
        self._name = ""
        self._data: list[str] = []
        self._size = 0
        self._first = True

    def feed(self, chunk: bytes) -> list[Event]:
        """Events that are complete now."""
        text = self._rest + chunk
        if self._first and len(text) >= 3:
            self._first = False
            text = text.removeprefix(b"\xef\xbb\xbf")
        held = b""
        if b"\r" in text:
            if text.endswith(b"\r"):  # its line feed may be in the next chunk
                text, held = text[:-1], b"\r"
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = text.split(b"\n")
        self._rest = rest + held
        if len(self._rest) > LONGEST_EVENT:
            raise ProviderError(ErrorClass.TRUNCATED, "a line is longer than 1 MiB")
        events: list[Event] = []
        for line in lines:
            self._line(line, events)
        return events

    def close(self) -> list[Event]:
        """The last event when the server ended without the blank line after it."""
        events: list[Event] = []
        for line in (self._rest.rstrip(b"\r"), b""):
            self._line(line, events)
        self._rest = b""
        return events

    def _line(self, line: bytes, events: list[Event]) -> None:
        if not line:
            if self._data:
                events.append(Event(self._name, "\n".join(self._data)))
            self._name, self._data, self._size = "", [], 0
        elif line.startswith(b"data:"):
            self._size += len(line)
            if self._size > LONGEST_EVENT:
                raise ProviderError(ErrorClass.TRUNCATED, "an event is longer than 1 MiB")
            self._data.append(line[5:].decode("utf-8", "replace").removeprefix(" "))
        elif line.startswith(b":"):
            self.comments += 1
        elif line.startswith(b"event:"):
            self._name = line[6:].decode("utf-8", "replace").strip()
