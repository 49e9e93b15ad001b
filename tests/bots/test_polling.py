"""Updates are confirmed only once they are committed, and trouble is told."""

import asyncio
import json

import pytest

from core.channel import BadCredential, Unparseable
from core.messages import Incoming
from tests.bots.host import TOKEN, Live
from tests.fakes.bot_api import FakeBotApi, Fault


def texts(live: Live) -> list[str]:
    return [json.loads(one.raw)["message"]["text"] for one in live.host.accepted]


async def test_updates_are_accepted_in_batches_and_then_confirmed(api: FakeBotApi, live: Live) -> None:
    for number in range(250):
        api.inject_message(TOKEN, 7, str(number))
    live.receive()
    await live.host.until(lambda: len(live.host.accepted) == 250)
    assert texts(live) == [str(number) for number in range(250)]
    assert live.host.batches == [100, 100, 50]
    await api.wait(lambda: not api.bot(TOKEN).updates)
    assert {one.chat_key for one in live.host.accepted} == {"7"}


async def test_nothing_is_confirmed_when_it_could_not_be_stored(api: FakeBotApi, live: Live) -> None:
    live.host.failures.append(RuntimeError("disk full"))
    api.inject_message(TOKEN, 7, "Hello")
    with pytest.raises(RuntimeError, match="disk full"):
        await asyncio.wait_for(live.receive(), 5)
    assert len(api.bot(TOKEN).updates) == 1
    live.receive()
    await live.host.until(lambda: texts(live) == ["Hello"])


async def test_the_last_updates_are_confirmed_at_the_end(api: FakeBotApi, live: Live) -> None:
    api.inject_message(TOKEN, 7, "Hello")

    async def end(_: Incoming) -> None:
        task.cancel()

    live.host.turn = end
    task = live.receive()
    await asyncio.wait({task})
    await live.channel.close()
    await live.channel.close()
    assert not api.bot(TOKEN).updates


async def test_an_unreadable_update_is_stored_alone_and_the_rest_goes_on(api: FakeBotApi, live: Live) -> None:
    api.inject_message(TOKEN, 7, "before")
    api.inject(TOKEN, {"message": {"message_id": "what", "chat": {"id": 7, "type": "private"}, "text": "x"}})
    api.inject(TOKEN, {"message": ["no", "object"]})
    api.inject(TOKEN, {"update_id": "no number", "message": {}})
    api.inject(TOKEN, {"kind_of_next_year": {"a": 1}})
    api.inject_message(TOKEN, 7, "after")
    live.receive()
    await live.host.until(lambda: len(live.host.accepted) == 4)
    assert [one.chat_key for one in live.host.accepted] == ["7", "7", "", "7"]
    for one in live.host.accepted[1:3]:
        with pytest.raises(Unparseable):
            live.channel.parse(one.raw)


async def test_a_megabyte_and_a_lone_surrogate_pass(api: FakeBotApi, live: Live) -> None:
    api.inject_message(TOKEN, 7, "я" * 1_000_000)
    api.inject_message(TOKEN, 7, "a\ud83d")
    live.receive()
    await live.host.until(lambda: len(live.host.accepted) == 2)
    long, broken = (live.channel.parse(one.raw) for one in live.host.accepted)
    assert long and broken
    assert (len(long.text), broken.text) == (1_000_000, "a\ufffd")
    assert all(one.raw.isascii() for one in live.host.accepted)


async def test_group_talk_among_people_is_not_stored(api: FakeBotApi, live: Live) -> None:
    api.inject_message(TOKEN, -5, "hello all")
    api.inject_message(TOKEN, -5, f"@{api.bot(TOKEN).username} hello")
    live.receive()
    await live.host.until(lambda: len(live.host.accepted) == 1)
    await api.wait(lambda: not api.bot(TOKEN).updates)


async def test_stop_passes_the_queue_by(api: FakeBotApi, live: Live) -> None:
    live.host.running.add("7")
    live.receive()
    api.inject_message(TOKEN, 7, "/stop")
    api.inject_callback(TOKEN, 7, 5, "stop")
    api.inject_stopped(TOKEN, 7, 1)
    await live.host.until(lambda: live.host.stopped == ["7"] * 3)
    await api.wait_call("answerCallbackQuery")
    assert not live.host.accepted


async def test_stop_with_nothing_running_gets_an_answer_only_when_typed(api: FakeBotApi, live: Live) -> None:
    api.inject_callback(TOKEN, 7, 5, "stop")
    api.inject_stopped(TOKEN, 7, 1)
    api.inject_message(TOKEN, 7, "/stop")
    live.receive()
    await live.host.until(lambda: len(live.host.accepted) == 1)
    message = live.channel.parse(live.host.accepted[0].raw)
    assert message and message.command == "stop"


async def test_stop_in_the_same_batch_stops_the_question_before_it(api: FakeBotApi, live: Live) -> None:
    async def begin(update: Incoming) -> None:
        live.host.running.add(update.chat_key)

    live.host.turn = begin
    api.inject_message(TOKEN, 7, "A long story, please")
    api.inject_message(TOKEN, 7, "/stop")
    live.receive()
    await live.host.until(lambda: live.host.stopped == ["7"])
    await api.wait(lambda: not api.bot(TOKEN).updates)
    assert texts(live) == ["A long story, please"]


async def test_a_retry_button_is_stored_and_acknowledged(api: FakeBotApi, live: Live) -> None:
    api.inject_callback(TOKEN, 7, 5, "retry")
    live.receive()
    await live.host.until(lambda: len(live.host.accepted) == 1)
    message = live.channel.parse(live.host.accepted[0].raw)
    assert message and message.command == "retry"
    await api.wait_call("answerCallbackQuery")


async def test_another_poller_is_told_and_waited_out(api: FakeBotApi, live: Live) -> None:
    api.fault(Fault("error", method="getUpdates", code=409, description="Conflict: terminated by other"))
    live.receive()
    await live.host.until(lambda: live.host.troubles == ["another poller holds the token"])
    api.inject_message(TOKEN, 7, "Hello")
    await live.host.until(lambda: bool(live.host.accepted))
    assert live.host.troubles == ["another poller holds the token", ""]


async def test_two_polls_of_one_token_conflict(api: FakeBotApi, live: Live) -> None:
    live.receive()
    await api.wait(lambda: api.bot(TOKEN).poll is not None)
    assert await live.channel._api.call("getUpdates", {"timeout": 0}) == []  # type: ignore[union-attr]
    await live.host.until(lambda: live.host.troubles == ["another poller holds the token"])


async def test_a_webhook_is_removed(api: FakeBotApi, live: Live) -> None:
    api.bot(TOKEN).webhook = "https://old.example"
    api.inject_message(TOKEN, 7, "Hello")
    live.receive()
    await live.host.until(lambda: texts(live) == ["Hello"])


async def test_a_token_that_stops_working_ends_the_channel(api: FakeBotApi, live: Live) -> None:
    task = live.receive()
    await api.wait(lambda: api.bot(TOKEN).poll is not None)
    api.revoke(TOKEN)
    with pytest.raises(BadCredential, match="Unauthorized"):
        await asyncio.wait_for(task, 5)


async def test_too_many_requests_is_obeyed(api: FakeBotApi, live: Live) -> None:
    api.fault(Fault("429", method="getUpdates", retry_after=1))
    api.inject_message(TOKEN, 7, "Hello")
    live.receive()
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await live.host.until(lambda: bool(live.host.accepted))
    assert loop.time() - begun >= 1
    assert live.host.troubles[0].startswith("Too Many Requests")


async def test_the_network_may_fail_and_come_back(api: FakeBotApi, live: Live) -> None:
    live.receive()
    await api.wait(lambda: api.bot(TOKEN).poll is not None)
    await api.down()
    await live.host.until(lambda: bool(live.host.troubles))
    assert "cannot be reached" in live.host.troubles[0]
    await api.up()
    api.inject_message(TOKEN, 7, "Hello")
    await live.host.until(lambda: texts(live) == ["Hello"])
    assert live.host.troubles[-1] == ""
    assert live.host.heards > 1
