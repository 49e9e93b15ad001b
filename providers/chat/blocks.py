"""Events of Anthropic's messages, folded into a Reply."""

import json
from typing import Any

from providers.chat.reply import Reply
from providers.classify import to_stream_error
from providers.types import CallPart, Delta

MOST_CALLS = 512


class Blocks:
    """Reads one answer's events; blocks of content that call a tool are counted from 0."""

    def __init__(self, reply: Reply, key: str) -> None:
        self._reply = reply
        self._key = key
        self._calls: dict[object, int] = {}
        self._silent: set[object] = set()  # calls whose arguments have not come

    def fold(self, data: str) -> list[Delta]:
        """One event; one that is not JSON is skipped. Raises ProviderError for an in-band error."""
        reply = self._reply
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            return []
        match event:
            case {"type": "content_block_delta", "delta": {"type": "text_delta", "text": str(text)}}:
                return reply.content(text)
            case {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": str(text)}}:
                return reply.reasoning(text)
            case {
                "type": "content_block_delta",
                "delta": {"type": "input_json_delta", "partial_json": str(text)},
            }:
                return self._arguments(event.get("index"), text)
            case {"type": "content_block_start", "content_block": dict(block)}:
                return self._start(event.get("index"), block)
            case {"type": "content_block_stop"} if self._silent:
                return self._arguments(event.get("index"), "{}", late=True)
            case {"type": "message_start", "message": {"usage": dict(usage)}}:
                self._count(usage)
            case {"type": "message_delta", "delta": dict(delta)}:
                usage = event.get("usage")
                if isinstance(usage, dict):
                    reply.count(None, usage.get("output_tokens"))
                if isinstance(delta.get("stop_reason"), str):
                    reply.finish(delta["stop_reason"])
            case {"type": "error"}:
                raise to_stream_error(event, self._key)
        return []

    def _start(self, index: object, block: dict[str, Any]) -> list[Delta]:
        match block:
            case {"type": "text", "text": str(text)} if text:
                return self._reply.content(text)
            case {"type": "thinking", "thinking": str(text)} if text:
                return self._reply.reasoning(text)
            case {"type": "tool_use", "id": str(call), "name": str(name)} if _usable(index):
                if index in self._calls or len(self._calls) >= MOST_CALLS:
                    return []
                number = self._calls[index] = len(self._calls)
                given = block.get("input")
                said = json.dumps(given, ensure_ascii=False) if isinstance(given, dict) and given else ""
                if not said:
                    self._silent.add(index)
                return self._reply.calls([CallPart(number, call, name, said)])
        return []

    def _arguments(self, index: object, text: str, *, late: bool = False) -> list[Delta]:
        if not _usable(index) or index not in self._calls or not text:
            return []
        if late and index not in self._silent:
            return []
        self._silent.discard(index)
        return self._reply.calls([CallPart(self._calls[index], arguments=text)])

    def _count(self, usage: dict[str, Any]) -> None:
        self._reply.count(input_tokens(usage), usage.get("output_tokens"))
        self._reply.cached(usage.get("cache_read_input_tokens"))


def input_tokens(usage: dict[str, Any]) -> int | None:
    """All tokens of the prompt, those read from or written to the cache too."""
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    counts = [usage[name] for name in names if isinstance(usage.get(name), int)]
    return sum(counts) if counts else None


def _usable(index: object) -> bool:
    """Whether it can be looked up: vendors send numbers."""
    return isinstance(index, int)
