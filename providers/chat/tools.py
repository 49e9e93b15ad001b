"""Tools in OpenAI's shape: what a request says of them, and the calls that an answer makes."""

from collections.abc import Iterator
from typing import Any

from providers.chat.content import openai_content
from providers.types import CallPart, ChatRequest, ChatTurn

MOST_CALLS = 512


def message_of(turn: ChatTurn) -> dict[str, Any]:
    """A turn as a message."""
    message: dict[str, Any] = {"role": turn.role, "content": openai_content(turn)}
    if turn.name:
        message["name"] = turn.name
    if turn.call_id:
        message["tool_call_id"] = turn.call_id
    if turn.calls:
        message["content"] = turn.text or None
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in turn.calls
        ]
    return message


def asked_of(request: ChatRequest) -> dict[str, Any]:
    """What a request says beside its messages and settings: tools, the form of the answer, extras."""
    asked: dict[str, Any] = dict(request.extra)
    if request.tools:
        asked["tools"] = list(request.tools)
        if request.tool_choice is not None:
            asked["tool_choice"] = request.tool_choice
    if request.output is not None:
        asked["response_format"] = request.output
    return asked


def call_parts(given: Any) -> Iterator[CallPart]:
    """The pieces of calls in a message or delta; what cannot be read is left out."""
    for place, call in enumerate(given if isinstance(given, list) else ()):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict):
            continue
        index = call.get("index")
        if not isinstance(index, int) or not 0 <= index < MOST_CALLS:
            index = place
        words = (call.get("id"), function.get("name"), function.get("arguments"))
        yield CallPart(index, *(word if isinstance(word, str) else "" for word in words))
