"""Chat completions: streamed and whole, over several candidates."""

from tests.fakes.llm import FAULTS, Healthy, answer_text
from tests.gateway.conftest import Site

ANSWER = answer_text("model-a", "Hello there")


async def test_whole(site: Site) -> None:
    answer = await site.ask()
    assert answer.status == 200
    body = answer.json
    assert body["object"] == "chat.completion" and body["model"] == "main"
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": ANSWER, "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert (
        body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]
    )
    assert answer.headers["x-botyard-route"] == "main; one:model-a; attempts=1; skipped=0"
    assert body["id"] == f"chatcmpl-{answer.headers['x-request-id']}"


async def test_streamed(site: Site) -> None:
    answer = await site.ask(stream=True)
    assert answer.status == 200 and answer.text == ANSWER
    first, *_, last, done = answer.events
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert last["choices"][0]["finish_reason"] == "stop" and done == "[DONE]"
    assert "usage" not in last
    assert all(event["object"] == "chat.completion.chunk" for event in answer.events[:-1])
    assert len({event["id"] for event in answer.events[:-1]}) == 1
    assert answer.headers["x-botyard-route"] == "main; one:model-a; attempts=1; skipped=0"
    assert site.vendor.requests[-1].body["stream_options"] == {"include_usage": True}


async def test_usage_in_a_stream_only_when_asked_for(site: Site) -> None:
    answer = await site.ask(stream=True, stream_options={"include_usage": True})
    *others, last, done = answer.events
    assert done == "[DONE]" and last["choices"] == [] and last["usage"]["completion_tokens"] == len(ANSWER)
    assert all(event["usage"] is None for event in others)


async def test_a_fault_before_the_first_text_is_invisible(site: Site) -> None:
    for stream in (False, True):
        site.vendor.script("model-a", FAULTS["error_500"])
        answer = await site.ask("pair", stream=stream)
        assert answer.status == 200
        assert answer.headers["x-botyard-route"].startswith("pair; two:model-b; attempts=2")
    rows = await site.usage(4)
    assert [(row.provider_id, row.outcome, row.source, row.route_id) for row in rows[:2]] == [
        ("one", "transient", "api", "pair"),
        ("two", "ok", "api", "pair"),
    ]
    assert rows[0].request_id == rows[1].request_id != rows[2].request_id


async def test_several_choices(site: Site) -> None:
    site.vendor.script("model-a", Healthy("first"), Healthy("second"), Healthy("third"))
    answer = await site.ask(n=3)
    choices = answer.json["choices"]
    assert [choice["index"] for choice in choices] == [0, 1, 2]
    assert sorted(choice["message"]["content"] for choice in choices) == ["first", "second", "third"]
    site.vendor.script("model-a", Healthy("first"), Healthy("second"))
    answer = await site.ask(n=2, stream=True)
    texts = {0: "", 1: ""}
    for event in answer.events[:-1]:
        for choice in event["choices"]:
            texts[choice["index"]] += choice["delta"].get("content") or ""
    assert sorted(texts.values()) == ["first", "second"] and answer.events[-1] == "[DONE]"
    assert [event["choices"][0]["finish_reason"] for event in answer.events[:-1]].count("stop") == 2
    await site.usage(5)


async def test_one_of_several_choices_fails(site: Site) -> None:
    site.vendor.script("model-a", Healthy("first"), FAULTS["caller"])
    for stream in (False, True):
        answer = await site.ask(n=2, stream=stream)
        assert answer.status in (400, 503), answer.body


async def test_a_route_sets_what_the_caller_does_not(site: Site) -> None:
    await site.set_route("warm", ["one:model-a"], temperature=0.25, max_tokens=77)
    await site.ask("warm", top_p=0.5, max_completion_tokens=11, stop="END", seed=7)
    body = site.vendor.requests[-1].body
    assert (body["temperature"], body["top_p"], body["max_tokens"]) == (0.25, 0.5, 11)


async def test_models_are_named_by_provider(site: Site) -> None:
    answer = await site.ask("two:model-b")
    assert answer.headers["x-botyard-route"] == "two:model-b; two:model-b; attempts=1; skipped=0"
    assert site.vendor.requests[-1].model == "model-b" and site.vendor.requests[-1].key.startswith(
        "sk-secret-two"
    )
    answer = await site.ask("two:auto")
    assert answer.status == 200 and site.vendor.requests[-1].model == "model-a"
