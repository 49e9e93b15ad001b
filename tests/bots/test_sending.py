"""Messages go out whole, once, within the limits; refusals are told by their meaning."""

import asyncio

import pytest

from core.answers import LENGTH_BUTTONS
from core.channel import ChatGone, Rejected, RetryLater
from core.messages import OutboundMessage
from tests.bots.host import TOKEN, Live
from tests.fakes.bot_api import FakeBotApi, Fault


def shown(api: FakeBotApi, chat: int = 7) -> list[str]:
    return [one.text for one in api.visible(chat)]


async def test_a_reply_is_one_call(api: FakeBotApi, live: Live) -> None:
    ids = await live.send(7, "Hello **there**")
    assert [(one.text, str(one.message_id)) for one in api.visible(7)] == [("Hello there", ids[0])]
    call = api.calls[0]
    assert len(api.calls) == 1
    assert call.params["entities"] == [{"type": "bold", "offset": 6, "length": 5}]
    assert call.params["link_preview_options"] == {"is_disabled": True}
    assert "reply_parameters" not in call.params and "message_thread_id" not in call.params


async def test_topic_quote_and_buttons(api: FakeBotApi, live: Live) -> None:
    await live.send("-7/3", "x", reply_to="5", buttons=(("retry", "retry"),), language="ru")
    message = api.visible(-7)[0]
    assert (message.thread, message.reply_to) == (3, 5)
    assert message.buttons == [[{"text": "Ещё раз", "callback_data": "retry"}]]


async def test_many_buttons_stand_in_rows(api: FakeBotApi, live: Live) -> None:
    await live.send(7, "x", buttons=LENGTH_BUTTONS, language="en")
    rows = [[button["callback_data"] for button in row] for row in api.visible(7)[0].buttons]
    assert rows == [["length:short", "length:medium", "length:long"], ["length:very_long", "length:reset"]]


async def test_reasoning_stands_before_the_answer(api: FakeBotApi, live: Live) -> None:
    await live.send(7, "Yes", reasoning="Because.", language="ru")
    assert shown(api) == ["Ход мысли\nBecause.\n\nYes"]
    assert api.visible(7)[0].entities[0]["type"] == "expandable_blockquote"


async def test_plain_is_plain(api: FakeBotApi, live: Live) -> None:
    await live.send(7, "a **b**", plain=True)
    assert shown(api) == ["a **b**"]


async def test_a_preview_is_finished_by_an_edit(api: FakeBotApi, live: Live) -> None:
    (preview,) = await live.send(7, "so far", buttons=(("stop", "stop"),))
    assert await live.send(7, "done", preview=preview) == [preview]
    assert shown(api) == ["done"]
    assert api.visible(7)[0].buttons == []
    assert await live.send(7, "done", preview=preview) == [preview]  # not modified: as good as done
    assert shown(api) == ["done"]


async def test_a_preview_that_is_gone_is_replaced(api: FakeBotApi, live: Live) -> None:
    await live.send(7, "done", preview="12345")
    await live.send(7, "done too", preview="nonsense")
    assert shown(api) == ["done", "done too"]


async def test_a_long_message_goes_on_where_it_stopped(api: FakeBotApi, live: Live) -> None:
    text = "\n\n".join(f"{number} " + "word " * 700 for number in range(2))
    sent: list[str] = []
    with pytest.raises(RetryLater):
        async for one in live.channel.send(OutboundMessage("7", text), ()):
            sent.append(one)
            api.fault(Fault("error", code=502, description="Bad Gateway"))
    assert len(sent) == 1
    sent += await live.send(7, text, *sent)
    assert [one[0] for one in shown(api)] == ["0", "1"]
    assert await live.send(7, text, *sent) == []


async def test_the_rest_of_a_previewed_answer_follows(api: FakeBotApi, live: Live) -> None:
    (preview,) = await live.send(7, "so far")
    ids = await live.send(7, "word " * 1500, preview=preview, buttons=(("retry", "retry"),))
    assert ids[0] == preview and len(ids) == 2
    assert [bool(one.buttons) for one in api.visible(7)] == [False, True]


async def test_too_many_requests_tells_when(api: FakeBotApi, live: Live) -> None:
    api.fault(Fault("429", retry_after=7))
    with pytest.raises(RetryLater) as caught:
        await live.send(7, "x")
    assert caught.value.after == 7


async def test_a_blocked_bot_and_a_chat_that_is_gone(api: FakeBotApi, live: Live) -> None:
    api.block(TOKEN, 7)
    with pytest.raises(ChatGone, match="blocked"):
        await live.send(7, "x")
    api.fault(Fault("error", description="Bad Request: chat not found"))
    with pytest.raises(ChatGone):
        await live.send(8, "x")


async def test_formatting_that_is_refused_is_left_out(api: FakeBotApi, live: Live) -> None:
    api.fault(Fault("error", description="Bad Request: can't parse entities: oh"))
    await live.send(7, "a **b**")
    assert shown(api) == ["a b"]
    assert "entities" not in api.calls[0].params


async def test_what_is_refused_twice_is_rejected(api: FakeBotApi, live: Live) -> None:
    api.fault(Fault("error", count=2, description="Bad Request: no"))
    with pytest.raises(Rejected, match="no"):
        await live.send(7, "a **b**")
    with pytest.raises(Rejected):
        await live.send("the moon", "x")


async def test_a_group_that_became_a_supergroup(api: FakeBotApi, live: Live) -> None:
    api.fault(Fault("error", code=400, description="Bad Request: group chat was upgraded", migrate_to=-1007))
    await live.send(-7, "hello")
    assert shown(api, -1007) == ["hello"]


async def test_a_refused_connection_is_for_later(api: FakeBotApi, live: Live) -> None:
    await api.down()
    with pytest.raises(RetryLater) as first:
        await live.send(7, "x")
    with pytest.raises(RetryLater) as second:
        await live.send(7, "x")
    assert first.value.after < second.value.after <= 30
    await api.up()
    await live.send(7, "x")
    assert shown(api) == ["x"]


async def test_a_lost_answer_is_sent_again_and_counted(api: FakeBotApi, live: Live) -> None:
    api.fault(Fault("lost_reply"))
    with pytest.raises(RetryLater):
        await live.send(7, "x")
    await live.send(7, "x")
    assert shown(api) == ["x", "x"]
    assert len(api.lost_replies) == 1


async def test_a_call_that_never_arrived(api: FakeBotApi, live: Live) -> None:
    api.fault(Fault("drop"))
    with pytest.raises(RetryLater):
        await live.send(7, "x")
    assert shown(api) == []


async def test_chats_do_not_wait_for_each_other(api: FakeBotApi, live: Live) -> None:
    api.fault(Fault("delay", chat_id=7, seconds=30))
    slow = asyncio.create_task(live.send(7, "slow"))
    await asyncio.wait_for(live.send(8, "quick"), 2)
    assert not slow.done()
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
