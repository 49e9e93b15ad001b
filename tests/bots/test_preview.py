"""Previews: drafts in private chats, slow edits in groups, nothing for a quick answer."""

import asyncio
import time
from typing import Any

import pytest

from bots.surfaces import DraftSurface, EditSurface
from core.messages import InboundMessage
from tests.bots.host import TOKEN, Live
from tests.fakes.bot_api import FakeBotApi, Fault, Limits

DIRECT = InboundMessage("7", "Hello", language="ru")
IN_GROUP = InboundMessage("-7", "Hello", group=True, reply_to="5", language="ru")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same behaviour on a shorter scale."""
    monkeypatch.setattr(DraftSurface, "first", 0.02)
    monkeypatch.setattr(DraftSurface, "every", 0.05)
    monkeypatch.setattr(DraftSurface, "thinking", 0.2)
    monkeypatch.setattr(EditSurface, "first", 0.05)
    monkeypatch.setattr(EditSurface, "in_group", 0.05)
    monkeypatch.setattr(EditSurface, "in_private", 0.05)


def drafts(api: FakeBotApi) -> list[Any]:
    return [call for call in api.calls if call.method == "sendMessageDraft"]


async def write(preview: Any, words: int, pause: float = 0.01) -> str:
    for number in range(words):
        preview.feed(f"word{number} ")
        await asyncio.sleep(pause)
    return "".join(f"word{number} " for number in range(words))


async def test_a_quick_answer_costs_one_call(api: FakeBotApi, live: Live) -> None:
    for message in (DIRECT, IN_GROUP):
        preview = live.preview(message)
        preview.feed("quick")
        assert await preview.close() is None
        await live.send(message.chat_key, "quick")
    await asyncio.sleep(0.1)
    assert [call.method for call in api.calls] == ["sendMessage"] * 2


async def test_a_private_answer_grows_as_one_draft(api: FakeBotApi, live: Live) -> None:
    preview = live.preview(DIRECT)
    begun = time.monotonic()
    text = await write(preview, 40)
    most = (time.monotonic() - begun) / DraftSurface.every + 1
    assert await preview.close() is None
    await live.send(7, text)
    shown = drafts(api)
    assert 3 <= len(shown) <= most
    assert len({call.params["draft_id"] for call in shown}) == 1 and shown[0].params["draft_id"]
    assert shown[0].params["can_stop"] is True
    assert all(text.startswith(call.params["text"]) for call in shown)
    assert api.calls[-1].method == "sendMessage"
    assert not live.saved


async def test_a_slow_model_is_seen_thinking(api: FakeBotApi, live: Live) -> None:
    preview = live.preview(DIRECT)
    call = await api.wait_call("sendMessageDraft")
    assert call.params["text"] == ""
    preview.feed("Now.")
    assert (await api.wait_call("sendMessageDraft", 2)).params["text"] == "Now."
    await preview.close()
    assert len(drafts(api)) == 2


async def test_a_draft_is_shown_again_before_it_fades(
    api: FakeBotApi, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DraftSurface, "refresh", 0.1)
    preview = live.preview(DIRECT)
    preview.feed("The tool is working on it")
    await api.wait_call("sendMessageDraft", 3)
    await preview.close()
    assert len({call.params["text"] for call in drafts(api)}) == 1


async def test_the_same_draft_after_a_crash_and_another_for_another_turn(api: FakeBotApi, live: Live) -> None:
    for _ in range(2):
        preview = live.preview(DIRECT)
        preview.feed("a")
        await api.wait_call("sendMessageDraft", _ + 1)
        await preview.close()
    assert len({call.params["draft_id"] for call in drafts(api)}) == 1


async def test_restart_begins_anew(api: FakeBotApi, live: Live) -> None:
    preview = live.preview(DIRECT)
    preview.feed("wrong")
    await api.wait_call("sendMessageDraft")
    preview.restart()
    preview.feed("right")
    assert (await api.wait_call("sendMessageDraft", 2)).params["text"] == "right"
    await preview.close()


async def test_a_long_draft_shows_its_end(api: FakeBotApi, live: Live) -> None:
    preview = live.preview(DIRECT)
    preview.feed("word " * 1200 + "end")
    assert (await api.wait_call("sendMessageDraft")).params["text"].endswith("word end")
    await preview.close()


async def test_a_call_in_flight_is_waited_for(api: FakeBotApi, live: Live) -> None:
    slow = Fault("delay", method="sendMessageDraft", seconds=0.3)
    api.fault(slow)
    preview = live.preview(DIRECT)
    preview.feed("a")
    while slow.count:
        await asyncio.sleep(0.01)
    await preview.close()
    assert len(drafts(api)) == 1  # it arrived before the final message, not after


async def test_a_group_answer_is_one_message_with_a_stop_button(api: FakeBotApi, live: Live) -> None:
    preview = live.preview(IN_GROUP)
    preview.feed("The answer")
    (message,) = await api.wait_visible(-7)
    assert message.reply_to == 5
    assert message.buttons == [[{"text": "Стоп", "callback_data": "stop"}]]
    preview.feed(" is 42")
    await api.wait_visible(-7, text="is 42")
    external_id = await preview.close()
    assert [external_id] == live.saved == [str(message.message_id)]
    await live.send("-7", "The answer is 42.", preview=external_id, reply_to="5")
    assert [(one.text, one.buttons) for one in api.visible(-7)] == [("The answer is 42.", [])]


async def test_a_group_answer_goes_on_in_its_message_after_a_crash(api: FakeBotApi, live: Live) -> None:
    (existing,) = await live.send("-7", "so f")
    preview = live.preview(IN_GROUP, existing)
    preview.feed("so far")
    await api.wait_visible(-7, text="so far")
    assert await preview.close() == existing
    assert len(api.visible(-7)) == 1 and not live.saved


async def test_group_edits_leave_room_for_final_messages(api: FakeBotApi, live: Live) -> None:
    api.limits = Limits()
    first = live.preview(IN_GROUP)
    while len(api.calls) < 15:
        await write(first, 1)
    await write(first, 20)
    second = live.preview(InboundMessage("-7", "And?", group=True))
    second.feed("more")
    await asyncio.sleep(0.2)
    assert len(api.calls) == 15
    preview = await first.close()
    assert await second.close() is None
    await live.send("-7", "one", preview=preview)
    await live.send("-7", "two")
    assert [one.text for one in api.visible(-7)] == ["one", "two"]
    assert not api.refused


async def test_a_lost_first_message_is_not_sent_twice(api: FakeBotApi, live: Live) -> None:
    api.fault(Fault("lost_reply", method="sendMessage"))
    preview = live.preview(IN_GROUP)
    await write(preview, 20)
    assert await preview.close() is None
    assert len(api.visible(-7)) == 1


async def test_too_many_requests_drops_previews_and_the_final_waits(api: FakeBotApi, live: Live) -> None:
    api.fault(Fault("429", method="sendMessageDraft", retry_after=1))
    preview = live.preview(DIRECT)
    text = await write(preview, 20)
    await preview.close()
    assert len(api.refused) == 1 and not drafts(api)
    await live.send(7, text)
    assert api.calls[-1].at - api.refused[0][4] >= 1
    assert len(api.refused) == 1


async def test_a_server_without_drafts_is_learned_once(api: FakeBotApi, live: Live) -> None:
    api.unsupported.add("sendMessageDraft")
    preview = live.preview(DIRECT)
    preview.feed("Hello")
    await api.wait_visible(7, text="Hello")
    external_id = await preview.close()
    await live.send(7, "Hello.", preview=external_id)
    other = live.preview(InboundMessage("8", "Hi"))
    other.feed("Hi")
    await api.wait_visible(8)
    await other.close()
    assert [code for _, _, code, _, _ in api.refused] == [404]
    assert [one.text for one in api.visible(7)] == ["Hello."]


async def test_a_blocked_bot_stops_previewing(api: FakeBotApi, live: Live) -> None:
    api.block(TOKEN, 7)
    preview = live.preview(DIRECT)
    await write(preview, 20)
    await preview.close()
    assert len(api.refused) == 1


async def test_a_newer_preview_of_a_chat_ends_the_older(api: FakeBotApi, live: Live) -> None:
    older = live.preview(DIRECT)
    newer = live.preview(DIRECT)
    older.feed("old")
    newer.feed("new")
    await api.wait_call("sendMessageDraft")
    await newer.close()
    assert [call.params["text"] for call in drafts(api)] == ["new"]


async def test_no_answer_of_the_server_holds_up_the_words(api: FakeBotApi, live: Live) -> None:
    await api.down()
    preview = live.preview(DIRECT)
    await write(preview, 10)
    await asyncio.wait_for(preview.close(), 1)
    await api.up()
