"""What a model is told of generation settings, and how it is made to go on with an answer."""

from typing import Any

import pytest

from providers.catalog import Quirk, find_vendor
from providers.chat.openai_compatible import body_of
from providers.chat.sampling import taken
from providers.registry import open_provider
from providers.types import ChatRequest, ChatTurn, ProviderConfig, Sampling

ALL = Sampling(1.7, 0.9, 50_000, 40, 1.5, -1.5, ("END",), 7)
BEGUN = (ChatTurn("user", "hello"), ChatTurn("assistant", "Once upon"))


def test_each_value_is_clamped_or_left_out() -> None:
    quirk = Quirk(
        refuses=("top_p", "seed"), clamp={"temperature": (0, 1), "max_tokens": (1, 8192)}, top_k=True
    )
    assert taken(ALL, quirk) == {
        "temperature": 1.0, "max_tokens": 8192, "top_k": 40, "frequency_penalty": 1.5,
        "presence_penalty": -1.5, "stop": ["END"],
    }  # fmt: skip
    assert taken(Sampling(), quirk) == {}
    assert taken(Sampling(temperature=0), quirk) == {"temperature": 0}


def test_a_whole_number_stays_whole_and_others_do_not_become_so() -> None:
    quirk = Quirk(clamp={"temperature": (0, 1.99), "max_tokens": (1, 100)}, top_k=True)
    values = taken(Sampling(temperature=2, max_tokens=500, top_k=3), quirk)
    assert values == {"temperature": 1.99, "max_tokens": 100, "top_k": 3}
    assert isinstance(values["max_tokens"], int)


def test_top_k_only_where_it_is_taken() -> None:
    assert "top_k" not in taken(ALL, Quirk())
    assert "stop" not in taken(ALL, Quirk(refuses=("stop",)))
    assert taken(Sampling(max_tokens=5), Quirk(max_tokens_as="max_completion_tokens")) == {
        "max_completion_tokens": 5
    }


@pytest.mark.parametrize(
    ("kind", "model", "expected"),
    [
        ("openai", "gpt-5-mini", {"max_completion_tokens", "seed", "stop"}),
        ("mistral", "mistral-large-4", {"temperature", "top_p", "max_tokens", "seed", "stop",
                                        "frequency_penalty", "presence_penalty"}),
    ],
)  # fmt: skip
def test_by_the_catalogue(kind: str, model: str, expected: set[str]) -> None:
    body = body_of(model, ChatRequest(BEGUN[:1], ALL), find_vendor(kind).quirk(model), {})
    assert set(body) - {"model", "messages", "stream", "stream_options"} == expected
    assert body.get("temperature", 0) <= 1.5


FLAGS = {"add_generation_prompt": False, "continue_final_message": True}


@pytest.mark.parametrize(
    ("way", "flags", "marked"),
    [("", {}, False), ("plain", {}, False), ("prefix", {}, True), ("continue", FLAGS, False)],
)
def test_a_begun_answer_is_given_in_the_models_way(way: str, flags: dict[str, Any], marked: bool) -> None:
    body = body_of("m", ChatRequest(BEGUN), Quirk(prefill=way), {})
    assert {name: body[name] for name in FLAGS if name in body} == flags
    assert body["messages"][-1].get("prefix", False) is marked
    ended = body_of("m", ChatRequest(BEGUN[:1]), Quirk(prefill=way), {})
    assert not {"prefix", *FLAGS} & {*ended, *ended["messages"][-1]}


@pytest.mark.parametrize(
    ("kind", "model", "goes_on"),
    [
        ("vllm", "any", True),
        ("mistral", "mistral-large-4", True),
        ("openai", "gpt-4.1", False),
        ("anthropic", "claude-haiku-4-5", True),
        ("anthropic", "claude-sonnet-5-5", False),
    ],
)
async def test_models_tell_if_they_go_on(kind: str, model: str, goes_on: bool) -> None:
    provider = open_provider(ProviderConfig("x", kind))
    assert provider.model(model, "key").prefill is goes_on
    await provider.close()
