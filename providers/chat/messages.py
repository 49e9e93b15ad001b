"""A request in the words of Anthropic's messages."""

import json
import re
from collections.abc import Mapping
from typing import Any

from providers.catalog import Quirk
from providers.chat.content import anthropic_content, encodable
from providers.chat.sampling import taken
from providers.types import ChatRequest, ChatTurn, ToolCall

DEFAULT_MAX_TOKENS = 8192  # the vendor demands a number
ONLY_JSON = "Answer with one JSON object and nothing else: no words around it, no code fence."
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}
_UNFIT = re.compile("[^A-Za-z0-9_-]")


def body_of(name: str, request: ChatRequest, quirk: Quirk, options: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments for the SDK's create."""
    settings = taken(request.sampling, quirk)
    body: dict[str, Any] = {
        "model": name,
        "max_tokens": settings.get("max_tokens") or DEFAULT_MAX_TOKENS,
        "messages": messages_of(request.turns),
    }
    system = [turn.text for turn in request.turns if turn.role == "system"]
    system += [ONLY_JSON] if _kind(request.output) == "json_object" else []
    if any(system):
        body["system"] = encodable("\n\n".join(system))
    # The SDK has no arguments for what newer models refuse.
    extra: dict[str, Any] = {
        field: settings[field] for field in ("temperature", "top_p", "top_k") if field in settings
    }
    if stops := [stop for stop in settings.get("stop", ()) if stop.strip()]:  # it refuses blank ones
        extra["stop_sequences"] = stops
    if request.tools:
        extra["tools"] = [_tool(tool) for tool in request.tools]
        if choice := _choice(request):
            extra["tool_choice"] = choice
    if _kind(request.output) == "json_schema" and (schema := _schema(request.output)):
        extra["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    extra.update(options.get("body") or {})
    return {**body, "extra_body": extra} if extra else body


def messages_of(turns: tuple[ChatTurn, ...]) -> list[dict[str, Any]]:
    """The turns, save those of the system. Results of tools, one after the other, are one message."""
    messages: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for turn in turns:
        if turn.role == "system" or not (turn.text or turn.images or turn.calls or turn.role == "tool"):
            continue
        if turn.role == "tool":
            if not results:
                messages.append({"role": "user", "content": results})
            results.append(_result(turn))
            continue
        results = []
        messages.append({"role": turn.role, "content": _content(turn)})
    if not messages or messages[0]["role"] != "user":
        messages.insert(0, {"role": "user", "content": "…"})  # a conversation must begin with the user
    last = messages[-1]
    if last["role"] == "assistant" and isinstance(last["content"], str):
        last["content"] = last["content"].rstrip()  # an answer to go on with may not end with a space
    return messages


def _content(turn: ChatTurn) -> str | list[dict[str, Any]]:
    if not turn.calls:
        return anthropic_content(turn)
    words = [{"type": "text", "text": encodable(turn.text)}] if turn.text.strip() else []
    return [*words, *map(_call, turn.calls)]


def _call(call: ToolCall) -> dict[str, Any]:
    try:
        given = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):  # it takes only objects
        given = {"arguments": encodable(call.arguments)}
    return {"type": "tool_use", "id": _id(call.id), "name": encodable(call.name), "input": given}


def _result(turn: ChatTurn) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": _id(turn.call_id), "content": encodable(turn.text)}


def _id(given: str) -> str:
    """An id that another vendor may have made, in the letters that this one takes."""
    return _UNFIT.sub("_", given) or "call"


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    function = tool.get("function")
    if not isinstance(function, dict):
        return dict(tool)  # one of the vendor's own
    schema = function.get("parameters")
    made: dict[str, Any] = {
        "name": function.get("name"),
        "input_schema": {"type": "object", **(schema if isinstance(schema, dict) else {})},
    }
    if function.get("description"):
        made["description"] = function["description"]
    if function.get("strict"):
        made["strict"] = True
    return made


def _choice(request: ChatRequest) -> dict[str, Any]:
    choice = request.tool_choice
    made: dict[str, Any] = {}
    if isinstance(choice, dict):
        function = choice.get("function")
        made = {"type": "tool", "name": function.get("name") if isinstance(function, dict) else None}
    elif choice in _CHOICES:
        made = {"type": _CHOICES[choice]}
    if request.extra.get("parallel_tool_calls") is False and made.get("type") != "none":
        made = {"type": "auto", **made, "disable_parallel_tool_use": True}
    return made


def _kind(output: Mapping[str, Any] | None) -> object:
    return output.get("type") if output else None


def _schema(output: Mapping[str, Any] | None) -> dict[str, Any] | None:
    described = output.get("json_schema") if output else None
    schema = described.get("schema") if isinstance(described, dict) else None
    return closed(schema) if isinstance(schema, dict) else None


def closed(schema: Any) -> Any:
    """A JSON schema whose objects take no further properties, as the vendor demands of each one."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(value) for name, value in schema.items()}
    if made.get("type") == "object" and isinstance(made.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return made
