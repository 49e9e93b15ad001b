"""Pacing keeps ahead of the documented limits and lets single replies through at once."""

import asyncio
import time

from hypothesis import given
from hypothesis import strategies as st

from bots.limits import Pace, Window
from core.channel import RetryLater
from tests.bots.host import TOKEN, Live
from tests.fakes.bot_api import FakeBotApi, Limits


@given(st.lists(st.floats(0, 5), max_size=40), st.integers(1, 5), st.floats(0.1, 3))
def test_a_window_never_holds_more(pauses: list[float], count: int, seconds: float) -> None:
    window, now, given_out = Window(count, seconds), 0.0, []
    for pause in pauses:
        now += pause
        given_out.append(window.reserve(now))
    assert given_out == sorted(given_out)
    for first, after in zip(given_out, given_out[count:], strict=False):
        assert after - first >= seconds - 1e-9


async def test_single_replies_never_wait() -> None:
    pace = Pace()
    begun = time.monotonic()
    for chat in range(30):
        await pace.turn(chat)
    for _ in range(20):
        await Pace().turn(-1)
    assert time.monotonic() - begun < 0.1


async def test_a_second_burst_in_a_chat_waits() -> None:
    pace = Pace()
    begun = time.monotonic()
    for _ in range(4):
        await pace.turn(7)
    assert 2 < time.monotonic() - begun < 4


async def test_a_refused_bot_stops_bursting() -> None:
    pace = Pace()
    await pace.turn(7)
    pace.refused(7, 0.2)
    begun = time.monotonic()
    await pace.turn(7)
    assert time.monotonic() - begun >= 0.2
    begun = time.monotonic()
    await pace.turn(8)
    await pace.turn(8)
    assert time.monotonic() - begun >= 1


async def test_two_refused_chats_mean_the_bot() -> None:
    pace = Pace()
    pace.refused(7, 0.3)
    pace.refused(8, 0.3)
    begun = time.monotonic()
    await pace.turn(9)
    assert time.monotonic() - begun >= 0.25


async def test_idle_chats_are_forgotten() -> None:
    pace = Pace()
    for chat in range(1, 3000):
        pace._window(chat)
    assert len(pace._chats) <= 2000


async def test_a_burst_under_the_documented_limits_is_not_refused(api: FakeBotApi, live: Live) -> None:
    api.limits = Limits()

    async def reply(chat: int, text: str) -> None:
        while True:
            try:
                await live.send(chat, text)
                return
            except RetryLater as error:
                await asyncio.sleep(error.after)

    await asyncio.gather(*(reply(chat, f"{number}") for chat in range(1, 31) for number in range(3)))
    assert sum(len(api.visible(chat)) for chat in range(1, 31)) == 90
    assert len(api.refused) <= 1
    assert all(token == TOKEN for token, *_ in api.refused)
