"""Anthropic's messages: tools, pictures, JSON, settings, reasoning; over real HTTP."""

import json
from typing import Any

import pytest

from providers.catalog import Quirk, find_vendor
from providers.chat.blocks import Blocks
from providers.chat.messages import DEFAULT_MAX_TOKENS, ONLY_JSON, body_of, closed, messages_of
from providers.chat.reply import Reply
from providers.errors import ProviderError
from providers.types import (
    CallPart,
    ChatRequest,
    ChatTurn,
    Finish,
    Image,
    Sampling,
    Text,
    Thinking,
    Tokens,
    ToolCall,
)
from tests.fakes.llm import Healthy, fake_llm
from tests.providers.test_adapters import KINDS, _config, asked

CALLS = (("call_1", "weather", '{"city": "Пермь"}'), ("call_2", "time", ""))
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOL = {"type": "function", "function": {"name": "weather", "description": "Sky.", "parameters": SCHEMA}}
PIECE = {"type": "input_json_delta", "partial_json": "{"}
ASK = (ChatTurn("user", "Weather?"),)


@pytest.mark.parametrize("kind", KINDS)
async def test_calls_come_in_pieces(kind: str) -> None:
    async with fake_llm(Healthy("", thinking="hm", calls=CALLS)) as llm:
        deltas = await asked(_config(llm, kind), ChatRequest(ASK, tools=(TOOL,)))
    parts = [delta for delta in deltas if isinstance(delta, CallPart)]
    for number, (call, name, arguments) in enumerate(CALLS):
        mine = [part for part in parts if part.index == number]
        assert (mine[0].id, mine[0].name) == (call, name)
        said = "".join(part.arguments for part in mine)
        assert said == (arguments or ("{}" if kind == "anthropic" else ""))
    assert Thinking("hm") in deltas and deltas[-1] == Finish("tool_calls")
    tokens = next(delta for delta in deltas if isinstance(delta, Tokens))
    assert kind != "anthropic" or (tokens.input, tokens.cached) == (11, 4)


async def test_a_conversation_with_tools_as_it_is_sent() -> None:
    turns = (
        *ASK,
        ChatTurn("assistant", "Let me see.", calls=(ToolCall("c.1", "weather", '{"city": "a"}'),
                                                    ToolCall("c2", "weather", "broken"))),
        ChatTurn("tool", "sunny", call_id="c.1"),
        ChatTurn("tool", "", call_id="c2"),
        ChatTurn("user", "And?", (Image("data:image/png;base64,aGk="), Image("https://a.example/b.png"))),
    )  # fmt: skip
    request = ChatRequest(turns, Sampling(1.7, 0.5, 50, 9, stop=("END", " ")), tools=(TOOL,),
                          tool_choice="required", extra={"parallel_tool_calls": False})  # fmt: skip
    async with fake_llm() as llm:
        await asked(_config(llm, "anthropic"), request, "claude-haiku-4-5")
        body = llm.requests[0].body
    _, calls, results, last = body["messages"]
    assert calls["content"] == [
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "c_1", "name": "weather", "input": {"city": "a"}},
        {"type": "tool_use", "id": "c2", "name": "weather", "input": {"arguments": "broken"}},
    ]
    assert results == {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "c_1", "content": "sunny"},
        {"type": "tool_result", "tool_use_id": "c2", "content": ""},
    ]}  # fmt: skip
    assert [part["type"] for part in last["content"]] == ["image", "image", "text"]
    assert body["tools"] == [{"name": "weather", "description": "Sky.", "input_schema": SCHEMA}]
    assert body["tool_choice"] == {"type": "any", "disable_parallel_tool_use": True}
    assert body["temperature"] == 1.0 and body["top_k"] == 9 and body["max_tokens"] == 50
    assert "top_p" not in body and body["stop_sequences"] == ["END"]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, None),
        ("auto", {"type": "auto"}),
        ("none", {"type": "none"}),
        ({"type": "function", "function": {"name": "weather"}}, {"type": "tool", "name": "weather"}),
    ],
)
def test_the_choice_of_a_tool(choice: Any, expected: Any) -> None:
    body = body_of("m", ChatRequest(ASK, tools=(TOOL,), tool_choice=choice), Quirk(), {})
    assert body["extra_body"].get("tool_choice") == expected


def test_newer_models_get_no_settings() -> None:
    quirk = find_vendor("anthropic").quirk("claude-sonnet-5-5")
    body = body_of("m", ChatRequest(ASK, Sampling(0.5, 0.5, None, 5)), quirk, {})
    assert "extra_body" not in body and body["max_tokens"] == DEFAULT_MAX_TOKENS


def test_json_as_far_as_it_goes() -> None:
    output = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
    body = body_of("m", ChatRequest(ASK, output=output), Quirk(), {})
    schema = body["extra_body"]["output_config"]["format"]["schema"]
    assert schema == {**SCHEMA, "additionalProperties": False}
    turns = (ChatTurn("system", "Be brief."), *ASK)
    body = body_of("m", ChatRequest(turns, output={"type": "json_object"}), Quirk(), {})
    assert body["system"] == f"Be brief.\n\n{ONLY_JSON}"
    assert closed({"anyOf": [SCHEMA, True]})["anyOf"][0]["additionalProperties"] is False


def test_an_answer_to_go_on_with_ends_without_space() -> None:
    assert messages_of((*ASK, ChatTurn("assistant", "It is \n")))[-1]["content"] == "It is"
    assert messages_of((ChatTurn("assistant", "It is"),))[0]["role"] == "user"


def _folded(*events: dict[str, Any]) -> list[Any]:
    reply = Reply()
    blocks = Blocks(reply, "")
    deltas = [delta for event in events for delta in blocks.fold(json.dumps(event))]
    return [*deltas, *reply.end()]


def _started(index: Any, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def test_what_other_servers_of_this_wire_say_at_once() -> None:
    end = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": None}
    deltas = _folded(
        _started(0, type="thinking", thinking="hm"),
        _started(1, type="text", text="Hi"),
        _started(2, type="tool_use", id="a", name="b", input={"c": 1}),
        {"type": "content_block_stop", "index": 2},
        _started([], type="tool_use", id="x", name="y"),
        _started(2, type="tool_use", id="again", name="b"),
        {"type": "content_block_delta", "index": 9, "delta": PIECE},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "z"}},
        end,
    )
    assert deltas == [Thinking("hm"), Text("Hi"), CallPart(0, "a", "b", '{"c": 1}'), Finish("tool_calls")]


def test_a_call_without_text_is_an_answer_and_its_promise_is_not() -> None:
    end = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}}
    assert _folded(_started(0, type="tool_use", id="a", name="b"), end)[-1] == Finish("tool_calls")
    with pytest.raises(ProviderError, match="empty"):
        _folded(end)
