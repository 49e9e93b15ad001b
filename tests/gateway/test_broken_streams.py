"""Answers that break after their reader saw a part: told in band, never a fake [DONE]."""

import pytest

from tests.fakes.llm import FAULTS, answer_text
from tests.gateway.conftest import Site

ANSWER = answer_text("model-a", "Hello there")
LATER = [name for name, fault in FAULTS.items() if fault.after and name != "gap"]
SEEN = [
    name for name in LATER if name != "in_band"
]  # which comes in one packet with the text, before a commit


@pytest.mark.parametrize("fault", SEEN)
async def test_alone_it_ends_with_an_error_in_band(site: Site, fault: str) -> None:
    site.vendor.script("model-a", FAULTS[fault])
    answer = await site.ask(stream=True, stream_options={"include_usage": True})
    assert answer.status == 200
    *chunks, error, last = answer.events
    assert error["error"]["code"] == "answer_broken" and set(error["error"]) == {
        "message",
        "type",
        "param",
        "code",
    }
    assert last["choices"][0]["finish_reason"] == "error"
    assert "[DONE]" not in answer.events and b"[DONE]" not in answer.body
    assert answer.text and ANSWER.startswith(answer.text)
    assert all("error" not in chunk for chunk in chunks)


@pytest.mark.parametrize("fault", LATER)
async def test_what_is_not_streamed_begins_anew_elsewhere(site: Site, fault: str) -> None:
    site.vendor.script("model-a", FAULTS[fault])
    answer = await site.ask("pair")
    assert answer.status == 200
    assert answer.json["choices"][0]["message"]["content"] == answer_text("model-b", "Hello there")
    assert answer.headers["x-botyard-route"] == "pair; two:model-b; attempts=2; skipped=0"


async def test_one_broken_choice_of_several(site: Site) -> None:
    site.vendor.script("model-a", FAULTS["cut"], FAULTS["cut"])
    answer = await site.ask(stream=True, n=2)
    finishes = [one["choices"][0]["finish_reason"] for one in answer.events if one.get("choices")]
    assert finishes.count("error") == 2 and b"[DONE]" not in answer.body
