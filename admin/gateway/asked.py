"""What a chat completion asks for, read from its body.

Only what is named here is read. Everything else is ignored, an address, headers or keys above all:
where a request goes is the operator's to say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from admin.gateway.errors import ApiError, wrong
from admin.gateway.fields import flag, integer, items, mapping, missing, not_a, number, passed_on, text_of
from admin.gateway.messages import turns_of
from core.routing.spec import RouteSpec
from core.sampling import merged, to_sampling
from providers.types import ChatRequest, Sampling

MOST_CHOICES = 8
MOST_TOOLS = 512
MOST_STOPS = 16
MOST_TOKENS = 10_000_000
CHOICES = ("none", "auto", "required")
# Parameters that a vendor of OpenAI's wire gets as they are, and their types.
PASSED: dict[str, type] = {
    "logit_bias": dict, "parallel_tool_calls": bool, "reasoning_effort": str, "verbosity": str,
    "min_p": float, "repetition_penalty": float, "chat_template_kwargs": dict, "thinking": dict,
    "enable_thinking": bool, "reasoning": dict,
}  # fmt: skip
# Parameters whose answer could not be given: ignoring them would be a lie.
NOT_OFFERED = ("logprobs", "top_logprobs", "audio", "functions", "function_call")


@dataclass(frozen=True, slots=True)
class Asked:
    """A chat completion's request; `sampling` holds the settings that it names itself."""

    model: str
    request: ChatRequest
    sampling: Mapping[str, Any]
    stream: bool = False
    count: int = 1
    include_usage: bool = False
    include_reasoning: bool = False

    def for_route(self, spec: RouteSpec) -> ChatRequest:
        """The request with what the route sets and the caller does not."""
        settings = to_sampling(merged(spec.settings, self.sampling))
        own = self.request.sampling
        return replace(self.request, sampling=replace(settings, stop=own.stop, seed=own.seed))

    def shows_reasoning(self, spec: RouteSpec) -> bool:
        """Whether the answer holds `reasoning_content`: a route says so; who names a model asks for it."""
        if spec.id is None:
            return self.include_reasoning
        return spec.settings.get("show_reasoning") is True


def read_chat(body: Mapping[str, Any]) -> Asked:
    """Read a body. Raises ApiError, which names the field."""
    model = text_of(body, "model")
    for name in NOT_OFFERED:
        if body.get(name):
            raise ApiError(400, f"'{name}' is not offered here.", param=name, code="unsupported_parameter")
    if any(kind != "text" for kind in items("modalities", body.get("modalities") or [])):
        raise ApiError(400, "Only text comes out.", param="modalities", code="unsupported_parameter")
    options = body.get("stream_options")
    request = ChatRequest(
        turns_of(body),
        Sampling(stop=_stop(body.get("stop")), seed=integer(body, "seed", -(2**63), 2**63 - 1)),
        tools=_tools(body.get("tools")),
        tool_choice=_tool_choice(body.get("tool_choice")),
        output=_output(body.get("response_format")),
        extra={name: _passed(name, body[name], kind) for name, kind in PASSED.items() if _given(body, name)},
    )
    return Asked(
        model,
        request,
        _sampling(body),
        flag(body, "stream"),
        integer(body, "n", 1, MOST_CHOICES) or 1,
        options is not None and flag(mapping("stream_options", options), "include_usage"),
        flag(body, "include_reasoning"),
    )


def _given(body: Mapping[str, Any], name: str) -> bool:
    return body.get(name) is not None


def _passed(name: str, value: Any, kind: type) -> Any:
    if kind is float:
        return number({name: value}, name, -1e6, 1e6)
    if not isinstance(value, kind):
        raise not_a(name, kind, value)
    return passed_on(name, value)


def _sampling(body: Mapping[str, Any]) -> dict[str, Any]:
    tokens = integer(body, "max_completion_tokens", 1, MOST_TOKENS)
    return {
        "temperature": number(body, "temperature", 0, 2),
        "top_p": number(body, "top_p", 0, 1),
        "top_k": integer(body, "top_k", 0, 1_000_000) or None,
        "frequency_penalty": number(body, "frequency_penalty", -2, 2),
        "presence_penalty": number(body, "presence_penalty", -2, 2),
        "max_tokens": integer(body, "max_tokens", 1, MOST_TOKENS) if tokens is None else tokens,
    }


def _stop(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    stops = [given] if isinstance(given, str) else items("stop", given)
    if len(stops) > MOST_STOPS:
        raise wrong("stop", f"may have at most {MOST_STOPS} entries.")
    for position, stop in enumerate(stops):
        if not isinstance(stop, str):
            raise not_a(f"stop[{position}]", str, stop)
    return tuple(stop for stop in stops if stop)


def _tools(given: Any) -> tuple[dict[str, Any], ...]:
    if given is None:
        return ()
    tools = items("tools", given)
    if len(tools) > MOST_TOOLS:
        raise wrong("tools", f"may have at most {MOST_TOOLS} entries.")
    for position, tool in enumerate(tools):
        place = f"tools[{position}]"
        if mapping(place, tool).get("type") != "function":
            raise wrong(f"{place}.type", "must be function.")
        _named(f"{place}.function", tool.get("function"))
        passed_on(place, tool)
    return tuple(tools)


def _tool_choice(given: Any) -> str | dict[str, Any] | None:
    if given is None:
        return None
    if isinstance(given, str):
        if given not in CHOICES:
            raise wrong("tool_choice", f"must be one of {', '.join(CHOICES)}, or name a function.")
        return given
    if mapping("tool_choice", given).get("type") != "function":
        raise wrong("tool_choice.type", "must be function.")
    _named("tool_choice.function", given.get("function"))
    return {"type": "function", "function": {"name": given["function"]["name"]}}


def _named(place: str, function: Any) -> None:
    if function is None:
        raise missing(place)
    name = mapping(place, function).get("name")
    if not isinstance(name, str) or not name:
        raise missing(f"{place}.name")


def _output(given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    kind = mapping("response_format", given).get("type")
    if kind == "text":
        return None
    if kind == "json_object":
        return {"type": "json_object"}
    if kind != "json_schema":
        raise wrong("response_format.type", "must be text, json_object or json_schema.")
    schema = given.get("json_schema")
    if schema is None:
        raise missing("response_format.json_schema")
    return {
        "type": kind,
        "json_schema": passed_on("response_format", mapping("response_format.json_schema", schema)),
    }
