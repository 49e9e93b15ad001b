"""The official Python client against the gateway."""

from collections.abc import AsyncIterator

import openai
import pytest

from tests.fakes.llm import FAULTS, Healthy, answer_text, rate_limit
from tests.gateway.conftest import HELLO, Site

ANSWER = answer_text("model-a", "Hello there")


@pytest.fixture
async def client(site: Site) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=site.base, api_key=site.key, max_retries=0) as client:
        yield client


async def test_chat(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="main", messages=HELLO)
    assert answer.choices[0].message.content == ANSWER
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None and answer.usage.completion_tokens == len(ANSWER)


async def test_stream(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="main", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == ANSWER
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].usage is not None and chunks[-1].choices == []


async def test_the_streaming_helper(client: openai.AsyncOpenAI) -> None:
    async with client.chat.completions.stream(model="main", messages=HELLO) as stream:
        async for _ in stream:
            pass
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == ANSWER


async def test_several_and_raw(client: openai.AsyncOpenAI) -> None:
    raw = await client.chat.completions.with_raw_response.create(model="pair", messages=HELLO, n=2)
    assert raw.headers["x-botyard-route"] == "pair; one:model-a; attempts=2; skipped=0"
    assert len(raw.parse().choices) == 2 and raw.request_id == raw.headers["x-request-id"]


async def test_models(client: openai.AsyncOpenAI) -> None:
    names = [model.id async for model in client.models.list()]
    assert names == ["main", "pair", "shop", "auto", "one:auto", "two:auto"]
    assert (await client.models.retrieve("one:auto")).owned_by == "one"


async def test_errors(client: openai.AsyncOpenAI, site: Site) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        await client.chat.completions.create(model="mian", messages=HELLO)
    assert missing.value.code == "model_not_found" and "main" in missing.value.message
    with pytest.raises(openai.BadRequestError) as bad:
        await client.chat.completions.create(model="main", messages=HELLO, n=99)
    assert bad.value.param == "n"
    with pytest.raises(openai.AuthenticationError):
        await client.with_options(api_key="sk-other").models.list()
    site.vendor.script("model-a", FAULTS["context"])
    with pytest.raises(openai.BadRequestError) as long:
        await client.chat.completions.create(model="main", messages=HELLO)
    assert long.value.code == "context_length_exceeded"
    site.vendor.script("model-a", FAULTS["content_400"])
    with pytest.raises(openai.BadRequestError) as refused:
        await client.chat.completions.create(model="main", messages=HELLO)
    assert refused.value.code == "content_filter"


async def test_the_client_waits_as_long_as_it_is_told(client: openai.AsyncOpenAI, site: Site) -> None:
    await site.set_route("brief", ["one:model-a"], deadline=5)
    site.vendor.script("model-a", rate_limit(7), rate_limit(7), Healthy("at last"))
    with pytest.raises(openai.InternalServerError) as error:
        await client.chat.completions.create(model="brief", messages=HELLO)
    assert error.value.status_code == 503
    assert 5 <= int(error.value.response.headers["retry-after"]) <= 9


async def test_an_answer_that_breaks_off_is_an_error(client: openai.AsyncOpenAI, site: Site) -> None:
    site.vendor.script("model-a", FAULTS["cut"])
    stream = await client.chat.completions.create(model="main", messages=HELLO, stream=True)
    text = ""
    with pytest.raises(openai.APIError) as error:
        async for chunk in stream:
            text += chunk.choices[0].delta.content or ""
    assert text and ANSWER.startswith(text)
    assert error.value.code == "answer_broken"
