"""Pacing keeps ahead of the documented limits and lets single replies through at once."""

import asyncio
import time

from bots.limits import Pace, Window
from core.channel import RetryLater
from tests.bots.host import Live
from tests.fakes.bot_api import FakeBotApi, Limits


async def test_a_place_is_free_again_so_long_after_the_answer() -> None:
    window = Window(2, 0.1)
    await window.take()
    await window.take()
    assert window.free == 0
    begun = time.monotonic()
    waiting = asyncio.create_task(window.take())
    await asyncio.sleep(0.1)
    assert not waiting.done()  # no answer yet
    window.answered()
    await waiting
    assert time.monotonic() - begun >= 0.2


async def test_who_gives_up_waiting_takes_no_place() -> None:
    pace = Pace()
    slots = [await pace.turn(7) for _ in range(3)]
    waiting = asyncio.create_task(pace.turn(7))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    for slot in slots:
        slot.done()
    (await asyncio.wait_for(pace.turn(7), 5)).done()


async def test_single_replies_never_wait() -> None:
    pace, group = Pace(), Pace()
    begun = time.monotonic()
    for chat in range(30):
        (await pace.turn(chat)).done()
    for _ in range(20):
        (await group.turn(-1)).done()
    assert time.monotonic() - begun < 0.5


async def test_a_second_burst_in_a_chat_waits() -> None:
    pace = Pace()
    begun = time.monotonic()
    for _ in range(4):
        (await pace.turn(7)).done()
    assert 2 < time.monotonic() - begun < 6


async def test_a_refused_bot_stops_bursting() -> None:
    pace = Pace()
    (await pace.turn(7)).done()
    pace.refused(7, 0.2)
    begun = time.monotonic()
    (await pace.turn(7)).done()
    assert time.monotonic() - begun >= 0.2
    begun = time.monotonic()
    (await pace.turn(8)).done()
    (await pace.turn(8)).done()
    assert time.monotonic() - begun >= 1


async def test_two_refused_chats_mean_the_bot() -> None:
    pace = Pace()
    pace.refused(7, 0.3)
    pace.refused(8, 0.3)
    begun = time.monotonic()
    (await pace.turn(9)).done()
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
    assert not api.refused
