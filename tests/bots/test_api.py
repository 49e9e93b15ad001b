"""The connection to the server: errors by their meaning, never the token, proxies as the environment says."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from yarl import URL

from bots import api as module
from bots.api import ApiError, BotApi, NotAnAnswer, Unreachable
from tests.fakes.bot_api import FakeBotApi, Fault

TOKEN = "11:secret"


@pytest.fixture
async def bot(api: FakeBotApi) -> AsyncIterator[BotApi]:
    connection = BotApi(api.url + "/", TOKEN)
    yield connection
    await connection.close()


async def test_a_refusal_keeps_its_parameters(api: FakeBotApi, bot: BotApi) -> None:
    api.fault(Fault("429", method="sendMessage", retry_after=9))
    with pytest.raises(ApiError) as caught:
        await bot.call("sendMessage", {"chat_id": 7, "text": "x"})
    assert (caught.value.code, caught.value.retry_after) == (429, 9)


async def test_a_connection_that_broke_may_have_carried_the_call(api: FakeBotApi, bot: BotApi) -> None:
    api.fault(Fault("lost_reply"))
    with pytest.raises(Unreachable) as caught:
        await bot.call("sendMessage", {"chat_id": 7, "text": "x"})
    assert caught.value.written
    await api.down()
    with pytest.raises(Unreachable) as caught:
        await bot.call("sendMessage", {"chat_id": 7, "text": "x"})
    assert not caught.value.written
    assert "secret" not in str(caught.value)


async def test_an_answer_that_takes_too_long(api: FakeBotApi, bot: BotApi) -> None:
    api.fault(Fault("delay", seconds=30))
    with pytest.raises(Unreachable):
        await bot.call("sendMessage", {"chat_id": 7, "text": "x"}, 0.05)


NONSENSE = [b"<html>502</html>", b"[]", b"5", b"{}", b"\xff", b"[" * 100_000]
ODD = [
    b'{"ok": false}',
    b'{"ok": false, "error_code": "x", "description": "half \\ud800 and \\u0000", "parameters": [1]}',
    b'{"ok": false, "parameters": {"retry_after": "soon", "migrate_to_chat_id": {}}}',
]


@pytest.mark.parametrize("body", NONSENSE + ODD)
async def test_whatever_is_not_an_answer(body: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Nothing\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    bot = BotApi(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", TOKEN)
    with pytest.raises(ApiError) as caught:
        await bot.call("getMe")
    assert isinstance(caught.value, NotAnAnswer) == (body in NONSENSE)
    assert all(sign.isprintable() for sign in str(caught.value))
    assert (caught.value.retry_after, caught.value.migrated_to) == (1.0, None)
    await bot.close()
    server.close()


def test_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert module._proxy_for(URL("https://api.telegram.org")) == URL("http://proxy:3128")
    assert module._proxy_for(URL("https://inside.example")) is None
    assert module._proxy_for(URL("https://127.0.0.1:8081")) is None
    monkeypatch.setenv("https_proxy", "socks5://proxy:1080")
    assert module._proxy_for(URL("https://api.telegram.org")) is None
