"""Chat completions in OpenAI's shape: chunks of a stream as text, and whole answers."""

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from json.encoder import encode_basestring
from typing import Any

from admin.gateway.errors import ApiError
from core.routing.attempts import Attempt
from providers.types import CallPart

DONE = "data: [DONE]\n\n"


def quoted(text: str) -> str:
    """A string as JSON."""
    return encode_basestring(text)


class Chunks:
    """Words the events of one choice; all but the delta is put together once."""

    def __init__(self, answer_id: str, model: str, index: int, *, counts: bool) -> None:
        common = f'"id":"{answer_id}","object":"chat.completion.chunk","created":{int(time.time())}'
        self._open = f'data: {{{common},"model":{quoted(model)},"choices":['
        self._head = f'{self._open}{{"index":{index},"delta":'
        usage = ',"usage":null' if counts else ""
        self._close = f"]{usage}}}\n\n"
        self._content = self._head + '{"content":'
        self._tail = f'}},"finish_reason":null}}{self._close}'

    def role(self) -> str:
        """The first chunk."""
        return f'{self._head}{{"role":"assistant","content":""{self._tail}'

    def text(self, text: str) -> str:
        """Text of the answer."""
        return f"{self._content}{encode_basestring(text)}{self._tail}"

    def reasoning(self, text: str) -> str:
        """Reasoning, where it is shown."""
        return f'{self._head}{{"reasoning_content":{quoted(text)}{self._tail}'

    def call(self, part: CallPart) -> str:
        """A piece of a tool call."""
        named = f'"id":{quoted(part.id)},"type":"function",' if part.id else ""
        name = f'"name":{quoted(part.name)},' if part.name else ""
        call = f'{{"index":{part.index},{named}"function":{{{name}"arguments":{quoted(part.arguments)}}}}}'
        return f'{self._head}{{"tool_calls":[{call}]{self._tail}'

    def finish(self, reason: str) -> str:
        """The last chunk of the choice."""
        return f'{self._head}{{}},"finish_reason":{quoted(reason)}}}{self._close}'

    def usage(self, counts: dict[str, Any]) -> str:
        """The chunk after the last one, with no choice."""
        return f'{self._open}],"usage":{json.dumps(counts)}}}\n\n'


def in_band(error: ApiError) -> str:
    """An error inside a stream."""
    return f"data: {json.dumps(error.body())}\n\n"


@dataclass
class Whole:
    """An answer as it is collected."""

    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: dict[int, dict[str, str]] = field(default_factory=dict)
    reason: str = ""

    def call(self, part: CallPart) -> None:
        """Add a piece of a tool call."""
        call = self.calls.setdefault(part.index, {"id": "", "name": "", "arguments": ""})
        call["id"] = call["id"] or part.id
        call["name"] = call["name"] or part.name
        call["arguments"] += part.arguments

    def clear(self) -> None:
        """Begin anew: another candidate does."""
        self.texts.clear()
        self.thoughts.clear()
        self.calls.clear()

    def choice(self, index: int, *, reasoning: bool) -> dict[str, Any]:
        """One of the answer's choices."""
        text = "".join(self.texts)
        message: dict[str, Any] = {"role": "assistant", "content": text or None, "refusal": None}
        if reasoning and self.thoughts:
            message["reasoning_content"] = "".join(self.thoughts)
        if self.calls:
            message["tool_calls"] = [
                {
                    "id": call["id"],
                    "type": "function",
                    "function": {"name": call["name"], "arguments": call["arguments"]},
                }
                for _, call in sorted(self.calls.items())
            ]
        return {"index": index, "message": message, "logprobs": None, "finish_reason": self.reason}


def completion(
    answer_id: str, model: str, choices: Sequence[dict[str, Any]], counts: dict[str, Any]
) -> bytes:
    """A whole chat completion."""
    body = {"id": answer_id, "object": "chat.completion", "created": int(time.time()), "model": model,
            "choices": list(choices), "usage": counts}  # fmt: skip
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def counted(answers: Iterable[Attempt]) -> dict[str, Any]:
    """`usage`: what the attempts that answered took."""
    answers = list(answers)
    given = sum(one.input_tokens or 0 for one in answers)
    made = sum(one.output_tokens or 0 for one in answers)
    cached = sum(one.cached_tokens or 0 for one in answers)
    return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made,
            "prompt_tokens_details": {"cached_tokens": cached}}  # fmt: skip
