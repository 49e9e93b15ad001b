"""What a vendor counts is taken only when it is a count; what a caller adds cannot change what is ours."""

import json

import pytest

from providers.catalog import Quirk
from providers.chat.events import fold_whole
from providers.chat.openai_compatible import body_of
from providers.chat.reply import Reply
from providers.types import ChatRequest, ChatTurn, Delta, Tokens

USAGE = {"prompt_tokens": 10, "completion_tokens": 4}


def counted(**usage: object) -> Tokens:
    body = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}], "usage": usage}
    reply = Reply()
    deltas: list[Delta] = [*fold_whole(json.dumps(body), reply, ""), *reply.end()]
    return next((one for one in deltas if isinstance(one, Tokens)), Tokens(None, None))


@pytest.mark.parametrize("wrong", [True, -5, 1.5, "7", None, [3]])
def test_only_counts_count(wrong: object) -> None:
    assert counted(prompt_tokens=wrong, completion_tokens=4) == Tokens(None, 4)
    assert counted(prompt_tokens=10, completion_tokens=wrong) == Tokens(10, None)


def test_cached_tokens_in_both_ways_of_saying_it() -> None:
    assert counted(**USAGE, prompt_tokens_details={"cached_tokens": 6}) == Tokens(10, 4, 6)
    assert counted(**USAGE, prompt_cache_hit_tokens=7) == Tokens(10, 4, 7)
    assert counted(**USAGE, prompt_tokens_details={"cached_tokens": -1}) == Tokens(10, 4, None)


def test_what_a_caller_adds_never_replaces_what_is_ours() -> None:
    extra = {"model": "other", "messages": [], "stream": False, "n": 9, "logit_bias": {"1": 2}}
    body = body_of("mine", ChatRequest((ChatTurn("user", "hi"),), extra=extra), Quirk(), {})
    assert (body["model"], body["stream"], len(body["messages"])) == ("mine", True, 1)
    assert "n" not in body and body["logit_bias"] == {"1": 2}
