"""How vendors word their answers: chat completions, and Anthropic's messages."""

import json
from typing import Any


class OpenAIShape:
    """Events of chat completions."""

    def start(self, model: str) -> bytes:
        """The first event, without any text."""
        return self._delta({"role": "assistant", "content": ""})

    def text(self, text: str) -> bytes:
        """A piece of the answer."""
        return self._delta({"content": text})

    def thinking(self, text: str) -> bytes:
        """A piece of reasoning."""
        return self._delta({"reasoning_content": text})

    def call(self, number: int, call: tuple[str, str, str]) -> bytes:
        """A call of a tool, its arguments in two pieces."""
        name, arguments = call[1:]
        half = len(arguments) // 2
        function = {"name": name, "arguments": arguments[:half]}
        first = {"index": number, "id": call[0], "type": "function", "function": function}
        second = {"index": number, "function": {"arguments": arguments[half:]}}
        return self._delta({"tool_calls": [first]}) + self._delta({"tool_calls": [second]})

    def end(self, reason: str, usage: tuple[int, int] | None) -> bytes:
        """The finish, the counts and [DONE]."""
        events = self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        if usage:
            counts = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
            events += self._event({"choices": [], "usage": counts})
        return events + b"data: [DONE]\n\n"

    def error(self, kind: str, message: str) -> bytes:
        """An error inside the stream."""
        return self._event({"error": {"message": message, "type": kind}})

    def whole(self, model: str, text: str) -> dict[str, Any]:
        """An answer that is not streamed."""
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {"model": model, "choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 5}}

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return self._event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})

    def _event(self, data: dict[str, Any]) -> bytes:
        common = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "fake"}
        return b"data: " + json.dumps({**common, **data}).encode() + b"\n\n"


class AnthropicShape(OpenAIShape):
    """Events of Anthropic's messages."""

    def start(self, model: str) -> bytes:
        """message_start and a ping."""
        usage = {"input_tokens": 7, "cache_read_input_tokens": 4, "output_tokens": 1}
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "content": [],
            "model": model,
            "usage": usage,
        }
        return self._named({"type": "message_start", "message": message}) + self._named({"type": "ping"})

    def text(self, text: str) -> bytes:
        """A text delta."""
        delta = {"type": "text_delta", "text": text}
        return self._named({"type": "content_block_delta", "index": 0, "delta": delta})

    def thinking(self, text: str) -> bytes:
        """A thinking delta."""
        delta = {"type": "thinking_delta", "thinking": text}
        return self._named({"type": "content_block_delta", "index": 0, "delta": delta})

    def call(self, number: int, call: tuple[str, str, str]) -> bytes:
        """A tool_use block, its input in two pieces."""
        place = number + 1  # the text is the first block
        block = {"type": "tool_use", "id": call[0], "name": call[1], "input": {}}
        half = len(call[2]) // 2
        events = self._named({"type": "content_block_start", "index": place, "content_block": block})
        for piece in ("", call[2][:half], call[2][half:]):
            delta = {"type": "input_json_delta", "partial_json": piece}
            events += self._named({"type": "content_block_delta", "index": place, "delta": delta})
        return events + self._named({"type": "content_block_stop", "index": place})

    def end(self, reason: str, usage: tuple[int, int] | None) -> bytes:
        """message_delta and message_stop."""
        words = {"stop": "end_turn", "content_filter": "refusal", "tool_calls": "tool_use"}
        word = words.get(reason, reason)
        event: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": word}}
        if usage:
            event["usage"] = {"output_tokens": usage[1]}
        return self._named(event) + self._named({"type": "message_stop"})

    def error(self, kind: str, message: str) -> bytes:
        """An error event."""
        return self._named({"type": "error", "error": {"type": kind, "message": message}})

    def whole(self, model: str, text: str) -> dict[str, Any]:
        """A message that is not streamed."""
        content = [{"type": "text", "text": text}]
        usage = {"input_tokens": 3, "output_tokens": 5}
        return {
            "type": "message",
            "role": "assistant",
            "content": content,
            "stop_reason": "end_turn",
            "usage": usage,
        }

    def _named(self, data: dict[str, Any]) -> bytes:
        return f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode()
