"""The channel as a whole: signing in, menus, warming up, and a message's way through it."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bots.telegram import TelegramChannel, create
from core.channel import BadConfiguration, BadCredential, PreviewTarget
from core.messages import Incoming, OutboundMessage
from tests.bots.host import TOKEN, Live, SmallHost, open_channel
from tests.fakes.bot_api import FakeBotApi, Fault, Limits

ROOT = Path(__file__).parents[2]
WARM_UP = """
import os, sys
def state():
    return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))
import bots.telegram
before = state()
bots.telegram.preload()
assert state() == before and before[0] == 1, (before, state())
assert "aiogram" not in sys.modules and "pydantic" not in sys.modules
"""


async def test_signing_in_tells_the_address(api: FakeBotApi, live: Live) -> None:
    assert live.identity.address == "@bot11_bot"


async def test_the_menu_is_set_once(api: FakeBotApi) -> None:
    async with open_channel(api):
        commands = api.bot(TOKEN).commands
        assert set(commands) == {"", "ru"}
        assert {one["command"] for one in commands[""]} == {"new", "retry", "stop", "length", "help"}
    host, channel = SmallHost(api.url), TelegramChannel()
    api.calls.clear()
    await channel.open(host, TOKEN)
    await api.wait_call("getMyCommands")
    await channel.close()
    assert api.count("setMyCommands") == 0


@pytest.mark.parametrize("token", ["11:revoked", "nonsense", "", "1:a\nb", "1:пароль", "../1:a"])
async def test_a_wrong_token(api: FakeBotApi, token: str) -> None:
    api.revoke("11:revoked")
    channel = create()
    with pytest.raises(BadCredential) as caught:
        await channel.open(SmallHost(api.url), token)
    assert not token or token not in str(caught.value)
    await channel.close()


async def test_an_address_that_is_no_bot_api(api: FakeBotApi) -> None:
    channel = create()
    with pytest.raises(BadConfiguration, match="not an answer of a Bot API server"):
        await channel.open(SmallHost(api.url + "/control"), TOKEN)
    await channel.close()


@pytest.mark.parametrize("address", ["http://[", "http://a:port", "nonsense", "ftp://a.example"])
async def test_an_address_that_is_none(address: str) -> None:
    channel = create()
    with pytest.raises(BadConfiguration, match="address"):
        await channel.open(SmallHost(address), TOKEN)
    await channel.close()


async def test_signing_in_waits_for_the_network_and_for_429(api: FakeBotApi) -> None:
    api.fault(Fault("429", method="getMe", retry_after=1))
    await api.down()
    host, channel = SmallHost(api.url), create()
    opening = asyncio.create_task(channel.open(host, TOKEN))
    await host.until(lambda: bool(host.troubles))
    assert "cannot be reached" in host.troubles[0]
    await api.up()
    assert (await asyncio.wait_for(opening, 5)).address == "@bot11_bot"
    assert host.troubles[-1].startswith("Too Many Requests")
    await channel.close()


def test_warming_up_leaves_nothing_behind() -> None:
    done = subprocess.run([sys.executable, "-c", WARM_UP], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


async def test_from_update_to_reply(api: FakeBotApi, live: Live) -> None:
    _echo(live)
    live.receive()
    for chat in range(1, 21):
        api.inject_message(TOKEN, chat, f"**{chat}**")
    await api.wait(lambda: api.count("sendMessage") == 20)
    assert [api.visible(chat)[0].text for chat in range(1, 21)] == [str(chat) for chat in range(1, 21)]
    assert {call.method for call in api.calls} == {"sendMessage"}


async def test_a_reply_is_quick(api: FakeBotApi, live: Live) -> None:
    api.limits = Limits()
    _echo(live)
    live.receive()
    await api.wait(lambda: api.bot(TOKEN).poll is not None)
    times = []
    for chat in range(1, 16):
        begun = time.monotonic()
        api.inject_message(TOKEN, chat, "Hello")
        await api.wait_visible(chat)
        times.append(time.monotonic() - begun)
    assert sorted(times)[len(times) // 2] < 0.25


def _echo(live: Live) -> None:
    async def answer(update: Incoming) -> None:
        message = live.channel.parse(update.raw)
        assert message is not None
        preview = live.channel.preview(message, PreviewTarget(update.external_id, None, live.saved.append))
        preview.feed(message.text)
        outbound = OutboundMessage(message.chat_key, message.text, preview=await preview.close())
        async for external_id in live.channel.send(outbound, ()):
            assert external_id

    live.host.turn = answer
