"""The fake Bot API server behaves as the original where the tests lean on it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.fakes.bot_api import FakeBotApi, Limits

ROOT = Path(__file__).parents[2]
TOKEN = "1:a"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def call(http: aiohttp.ClientSession, api: FakeBotApi, method: str, **params: Any) -> Any:
    async with http.post(f"{api.url}/bot{TOKEN}/{method}", json=params) as response:
        answer = await response.json()
        return answer["result"] if answer["ok"] else answer["description"]


async def test_the_offset_confirms(api: FakeBotApi, http: aiohttp.ClientSession) -> None:
    for text in "abc":
        api.inject_message(TOKEN, 7, text)
    first = await call(http, api, "getUpdates", limit=2)
    assert [one["message"]["text"] for one in first] == ["a", "b"]
    assert len(await call(http, api, "getUpdates")) == 3
    rest = await call(http, api, "getUpdates", offset=first[-1]["update_id"] + 1)
    assert [one["message"]["text"] for one in rest] == ["c"]
    assert len(await call(http, api, "getUpdates")) == 1


async def test_a_second_poll_ends_the_first(api: FakeBotApi, http: aiohttp.ClientSession) -> None:
    first = asyncio.create_task(call(http, api, "getUpdates", timeout=30))
    await api.wait(lambda: api.bot(TOKEN).poll is not None)
    second = asyncio.create_task(call(http, api, "getUpdates", timeout=30))
    assert (await first).startswith("Conflict: terminated by other getUpdates request")
    api.inject_message(TOKEN, 7, "Hello")
    assert len(await second) == 1


async def test_allowed_updates_stick(api: FakeBotApi, http: aiohttp.ClientSession) -> None:
    await call(http, api, "getUpdates", allowed_updates=["message"])
    api.inject_callback(TOKEN, 7, 1, "x")
    api.inject_message(TOKEN, 7, "Hello")
    assert len(await call(http, api, "getUpdates")) == 1


@pytest.mark.parametrize(
    ("text", "entities", "words"),
    [
        ("", [], "message text is empty"),
        (" \n", [], "message text is empty"),
        ("x" * 4097, [], "message is too long"),
        ("😀" * 2049, [], "message is too long"),
        ("😀", [{"type": "bold", "offset": 0, "length": 1}], "ends in a middle of a UTF-16 symbol"),
        ("😀", [{"type": "bold", "offset": 1, "length": 1}], "begins in a middle of a UTF-16 symbol"),
        ("ab", [{"type": "bold", "offset": 1, "length": 2}], "ends after the end of the text"),
        ("ab", [{"type": "bold", "offset": 1, "length": 0}], "incorrect length"),
    ],
)
async def test_bad_messages_are_refused(
    api: FakeBotApi, http: aiohttp.ClientSession, text: str, entities: list[dict[str, Any]], words: str
) -> None:
    assert words in await call(http, api, "sendMessage", chat_id=7, text=text, entities=entities)
    assert not api.calls and not api.visible(7)


async def test_documented_limits(api: FakeBotApi, http: aiohttp.ClientSession) -> None:
    api.limits = Limits()
    for chat, allowed in ((7, 3), (-7, 20)):
        answers = [await call(http, api, "sendMessage", chat_id=chat, text="x") for _ in range(allowed + 1)]
        assert [isinstance(one, dict) for one in answers] == [True] * allowed + [False]
        assert answers[-1].startswith("Too Many Requests: retry after ")


async def test_forms_are_read_too(api: FakeBotApi, http: aiohttp.ClientSession) -> None:
    form = aiohttp.FormData({"chat_id": "7", "text": "12", "entities": "[]"}, default_to_multipart=True)
    async with http.post(f"{api.url}/bot{TOKEN}/sendMessage", data=form) as response:
        assert (await response.json())["result"]["text"] == "12"


async def test_a_process_of_its_own_with_a_control_endpoint(http: aiohttp.ClientSession) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fakes.bot_api", "--port", "0",
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout
        url = (await process.stdout.readline()).decode().split()[-1]
        message = {"token": TOKEN, "chat_id": 7, "text": "Hello"}
        async with http.post(
            f"{url}/control/inject", json=[message, {"token": TOKEN, "update": {}}]
        ) as answer:
            assert len(await answer.json()) == 2
        async with http.get(f"{url}/bot{TOKEN}/getUpdates") as answer:
            assert len((await answer.json())["result"]) == 2
        async with http.post(f"{url}/bot{TOKEN}/sendMessage", json={"chat_id": 7, "text": "Hi"}):
            pass
        async with http.get(f"{url}/control/wait?chat_id=7") as answer:
            assert (await answer.json())["messages"][0]["text"] == "Hi"
        async with http.get(f"{url}/control/calls") as answer:
            assert [one["method"] for one in (await answer.json())["calls"]] == ["sendMessage"]
    finally:
        process.terminate()
        await process.wait()
