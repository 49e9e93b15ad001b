"""What the fake Bot API server refuses, in the words of the original."""

import math
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

LONGEST = 4096


class Refused(Exception):
    """An answer with "ok": false."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters

    def body(self) -> dict[str, Any]:
        """As the server says it."""
        body: dict[str, Any] = {"ok": False, "error_code": self.code, "description": self.description}
        return {**body, "parameters": self.parameters} if self.parameters else body


def too_many(seconds: float) -> Refused:
    """A 429 with its parameters."""
    after = max(1, math.ceil(seconds))
    return Refused(429, f"Too Many Requests: retry after {after}", retry_after=after)


def check_text(params: dict[str, Any], *, empty_allowed: bool = False) -> str:
    """The text as a person would see it; raises Refused as the original does."""
    text = params.get("text")
    if text is None and empty_allowed:
        return ""
    if not isinstance(text, str) or (not text.strip() and not empty_allowed):
        raise Refused(400, "Bad Request: message text is empty")
    try:
        units = text.encode("utf-16-le")
    except UnicodeEncodeError:
        raise Refused(400, "Bad Request: strings must be encoded in UTF-8") from None
    if "parse_mode" in params and text.count("*") % 2:
        raise Refused(
            400, "Bad Request: can't parse entities: can't find end of the entity starting at byte offset 0"
        )
    if len(units) // 2 > LONGEST:
        raise Refused(400, "Bad Request: message is too long")
    for entity in params.get("entities") or ():
        _check_entity(entity, units)
    return text.strip()


def _check_entity(entity: dict[str, Any], units: bytes) -> None:
    start, length = entity.get("offset"), entity.get("length")
    if not isinstance(start, int) or start < 0:
        raise Refused(400, "Bad Request: receive an entity with incorrect offset")
    if not isinstance(length, int) or length <= 0:
        raise Refused(400, "Bad Request: receive an entity with incorrect length")
    where = f"Bad Request: entity beginning at UTF-16 offset {start}"
    if start + length > len(units) // 2:
        raise Refused(400, f"{where} ends after the end of the text at UTF-16 offset {start + length}")
    if _inside_pair(units, start):
        raise Refused(400, f"Bad Request: entity begins in a middle of a UTF-16 symbol at offset {start}")
    if _inside_pair(units, start + length):
        raise Refused(400, f"{where} ends in a middle of a UTF-16 symbol at byte offset {start + length}")
    if entity.get("type") == "text_link" and not entity.get("url"):
        raise Refused(400, "Bad Request: can't parse entities: URL is empty")
    if "type" not in entity:
        raise Refused(400, "Bad Request: can't parse MessageEntity: Can't find field \"type\"")


def _inside_pair(units: bytes, at: int) -> bool:
    return at * 2 < len(units) and 0xDC <= units[at * 2 + 1] <= 0xDF


@dataclass
class Limits:
    """The documented limits: 1 message a second in a chat (bursts of `burst`), 20 a minute in a group (edits
    count), 30 a second for a bot."""

    burst: int = 3
    _seen: dict[tuple[Any, ...], deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def check(self, token: str, chat_id: int, now: float) -> None:
        """Count a message or an edit, or raise a 429."""
        windows = [((token,), 30, 1.0)]
        if chat_id < 0:
            windows.append(((token, chat_id, "group"), 20, 60.0))
        else:
            windows.append(((token, chat_id), self.burst, float(self.burst)))
        for key, count, seconds in windows:
            seen = self._seen[key]
            while seen and seen[0] <= now - seconds:
                seen.popleft()
            if len(seen) >= count:
                raise too_many(seen[0] + seconds - now)
        for key, _, _ in windows:
            self._seen[key].append(now)
