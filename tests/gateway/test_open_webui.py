"""Open WebUI's requests, as its backend (routers/openai.py) sends them; the real one runs in
`python -m bench open_webui`."""

import json
from urllib.parse import quote

from tests.fakes.llm import answer_text
from tests.gateway.conftest import Answer, Site

ANSWER = answer_text("model-a", "Hello there")
FORWARDED = {
    "X-OpenWebUI-User-Name": quote("Анна", safe=" "),
    "X-OpenWebUI-User-Id": "0d0e",
    "X-OpenWebUI-User-Email": "anna@example.com",
    "X-OpenWebUI-User-Role": "admin",
    "X-OpenWebUI-Chat-Id": "c0ffee",
    "HTTP-Referer": "https://openwebui.com/",
    "X-Title": "Open WebUI",
}


async def sent(site: Site, payload: dict[str, object]) -> Answer:
    headers = {"Content-Type": "application/json", **site.headers(), **FORWARDED}
    address = f"{site.base}/chat/completions"
    async with site.client.post(address, data=json.dumps(payload), headers=headers) as answer:
        return Answer(answer.status, answer.headers, await answer.read())


async def test_the_connection_is_verified_and_models_are_listed(site: Site) -> None:
    async with site.client.get(f"{site.base}/models", headers={**site.headers(), **FORWARDED}) as answer:
        assert answer.status == 200 and answer.content_type == "application/json"
        listed = await answer.json()
    assert {"main", "auto"} <= {one["id"] for one in listed["data"]}
    assert all(one["object"] == "model" and isinstance(one["created"], int) for one in listed["data"])


async def test_a_chat_with_its_parameters(site: Site) -> None:
    payload: dict[str, object] = {
        "stream": True,
        "model": "main",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": [{"type": "text", "text": "Hello there"}]},
        ],
        "stream_options": {"include_usage": True},
        "temperature": 0.7, "top_p": 0.9, "frequency_penalty": 0, "max_tokens": 500, "stop": ["\n\n\n"],
        "seed": 0, "logit_bias": {"15": -100},
    }  # fmt: skip
    answer = await sent(site, payload)
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.text == ANSWER and answer.events[-1] == "[DONE]"
    assert answer.events[-2]["usage"]["total_tokens"] > 0
    body = site.vendor.requests[-1].body
    assert [one["role"] for one in body["messages"]] == ["system", "user", "assistant", "user"]
    assert (body["temperature"], body["top_p"]) == (0.7, 0.9)


async def test_titles_tags_and_follow_ups_are_not_streamed(site: Site) -> None:
    for limit in ({"max_tokens": 1000}, {"max_completion_tokens": 1000}):
        payload = {
            "model": "main",
            "messages": [{"role": "user", "content": "Hello there"}],
            "stream": False,
            **limit,
        }
        answer = await sent(site, payload)
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.json["choices"][0]["message"]["content"] == ANSWER


async def test_an_error_is_json_with_its_status(site: Site) -> None:
    answer = await sent(
        site, {"model": "gone", "messages": [{"role": "user", "content": "x"}], "stream": True}
    )
    assert answer.status == 404 and answer.error["message"]
