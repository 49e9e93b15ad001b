"""Chat completion payloads, folded into a Reply."""

import json
from typing import Any

from providers.chat.limits import Watch
from providers.chat.reply import Reply
from providers.chat.tools import call_parts
from providers.classify import to_error, to_stream_error
from providers.errors import ErrorClass, ProviderError
from providers.sse import SseDecoder
from providers.types import Delta


class Reader:
    """Reads a stream's bytes. An event that is not JSON is skipped; an in-band error raises ProviderError."""

    def __init__(self, reply: Reply, watch: Watch, key: str) -> None:
        self.ended = False
        self._reply = reply
        self._watch = watch
        self._key = key
        self._decoder = SseDecoder()

    def read(self, chunk: bytes) -> list[Delta]:
        """The deltas of the next bytes; b"" is the end of the stream."""
        decoder, reply = self._decoder, self._reply
        comments = decoder.comments
        deltas: list[Delta] = []
        self.ended = not chunk
        for event in decoder.feed(chunk) if chunk else decoder.close():
            if event.data == "[DONE]":
                reply.done()
                self.ended = True
                break
            fold(event.data, reply, self._key, deltas)
        if deltas:
            self._watch.progress()
        elif decoder.comments != comments:
            self._watch.alive()
        if reply.finish_reason:
            self._watch.finishing()
        return deltas


def fold(data: str, reply: Reply, key: str, deltas: list[Delta]) -> None:
    """One event of a stream."""
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(event, dict):
        _fold(event, "delta", reply, key, deltas)


def fold_whole(text: str, reply: Reply, key: str) -> list[Delta]:
    """A completion that came in one piece."""
    if not text.strip():
        raise ProviderError(ErrorClass.EMPTY, "an empty body")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProviderError(ErrorClass.TRUNCATED, f"not JSON: {text[:80]!r}") from error
    if not isinstance(body, dict):
        raise to_error(None, body, key=key)
    deltas: list[Delta] = []
    _fold(body, "message", reply, key, deltas)
    if not reply.finish_reason and body.get("choices"):
        reply.finish("stop")  # some servers forget it; a body that parsed is whole
    return deltas


def _fold(event: dict[str, Any], part: str, reply: Reply, key: str, deltas: list[Delta]) -> None:
    choices = event.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    error = event.get("error") or choice.get("error")
    if error:
        raise to_stream_error({"error": error}, key)
    usage = event.get("usage") or event.get("x_groq")
    if isinstance(usage, dict):
        usage = usage.get("usage", usage)
        if isinstance(usage, dict):
            reply.count(usage.get("prompt_tokens"), usage.get("completion_tokens"))
            details = usage.get("prompt_tokens_details")
            reply.cached(details.get("cached_tokens") if isinstance(details, dict) else None)
            reply.cached(usage.get("prompt_cache_hit_tokens"))
    message = choice.get(part)
    if isinstance(message, dict):
        _message(message, reply, deltas)
    reason = choice.get("finish_reason")
    if isinstance(reason, str) and reason:
        reply.finish(reason)


def _message(message: dict[str, Any], reply: Reply, deltas: list[Delta]) -> None:
    thought = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(thought, str):
        deltas += reply.reasoning(thought)
    content = message.get("content")
    if isinstance(content, str):
        if content:
            deltas += reply.content(content)
    elif isinstance(content, list):
        for piece in content:
            if isinstance(piece, dict):
                _piece(piece, reply, deltas)
    if message.get("tool_calls"):
        deltas += reply.calls(call_parts(message["tool_calls"]))
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        raise ProviderError(ErrorClass.CONTENT, "the model refused")


def _piece(piece: dict[str, Any], reply: Reply, deltas: list[Delta]) -> None:
    """Content as typed parts, thinking among them."""
    inner = piece.get("thinking")
    if isinstance(inner, list):
        texts = [part.get("text") for part in inner if isinstance(part, dict)]
        inner = "".join(text for text in texts if isinstance(text, str))
    if isinstance(inner, str):
        deltas += reply.reasoning(inner)
    elif isinstance(piece.get("text"), str):
        deltas += reply.content(piece["text"])
