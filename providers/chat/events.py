"""Chat completion payloads, folded into a Reply."""

import json
from collections.abc import Iterator
from typing import Any

from providers.chat.reply import Reply
from providers.classify import to_error, to_stream_error
from providers.errors import ErrorClass, ProviderError
from providers.types import Delta


def fold(data: str, reply: Reply, key: str) -> Iterator[Delta]:
    """One event of a stream; one that is not JSON is skipped. Raises ProviderError for an in-band error."""
    try:
        event = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(event, dict):
        yield from _fold(event, "delta", reply, key)


def fold_whole(text: str, reply: Reply, key: str) -> Iterator[Delta]:
    """A completion that came in one piece."""
    if not text.strip():
        raise ProviderError(ErrorClass.EMPTY, "an empty body")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProviderError(ErrorClass.TRUNCATED, f"not JSON: {text[:80]!r}") from error
    if not isinstance(body, dict):
        raise to_error(None, body, key=key)
    yield from _fold(body, "message", reply, key)
    if not reply.finish_reason and body.get("choices"):
        reply.finish("stop")  # some servers forget it; a body that parsed is whole


def _fold(event: dict[str, Any], part: str, reply: Reply, key: str) -> Iterator[Delta]:
    choices = event.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    error = event.get("error") or choice.get("error")
    if error:
        raise to_stream_error({"error": error}, key)
    usage = event.get("usage")
    if not isinstance(usage, dict):
        usage = (event.get("x_groq") or {}).get("usage") if isinstance(event.get("x_groq"), dict) else None
    if isinstance(usage, dict):
        reply.count(usage.get("prompt_tokens"), usage.get("completion_tokens"))
    message = choice.get(part)
    if isinstance(message, dict):
        thought = message.get("reasoning_content") or message.get("reasoning")
        if isinstance(thought, str):
            yield from reply.reasoning(thought)
        content = message.get("content")
        if isinstance(content, str):
            if content:
                yield from reply.content(content)
        elif isinstance(content, list):
            yield from _parts(content, reply)
        refusal = message.get("refusal")
        if isinstance(refusal, str) and refusal:
            raise ProviderError(ErrorClass.CONTENT, "the model refused")
    reason = choice.get("finish_reason")
    if isinstance(reason, str) and reason:
        reply.finish(reason)


def _parts(content: list[Any], reply: Reply) -> Iterator[Delta]:
    """Content as a list of typed parts, thinking among them."""
    for part in content:
        if not isinstance(part, dict):
            continue
        inner = part.get("thinking")
        if isinstance(inner, str):
            yield from reply.reasoning(inner)
        elif isinstance(inner, list):
            texts = [piece.get("text") for piece in inner if isinstance(piece, dict)]
            yield from reply.reasoning("".join(text for text in texts if isinstance(text, str)))
        elif isinstance(part.get("text"), str):
            yield from reply.content(part["text"])
