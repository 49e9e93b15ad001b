"""Pictures and videos in Telegram: in the place of the message that announced them, or on their own."""

import asyncio
import json
from typing import Any

import pytest

from bots.media import short
from core.channel import JobView
from core.messages import Media
from tests.bots.host import TOKEN, Live
from tests.fakes.bot_api import FakeBotApi, Fault
from tests.jobs.studio import picture

PICTURE = Media("a1", "2026/a.png", "image/png", 32, 24, 100)
CLIP = Media("a2", "2026/a.mp4", "video/mp4", 64, 64, 100, 2.0)


@pytest.fixture
def stocked(live: Live) -> Live:
    live.host.files = {PICTURE.key: picture(), CLIP.key: b"\0\0\0 ftypisom" + bytes(50)}
    return live


def kinds(api: FakeBotApi, chat: int = 7) -> list[tuple[str, list[str]]]:
    return [(one.text, [kind for kind, _ in one.media]) for one in api.visible(chat)]


async def test_a_picture_takes_the_place_of_its_announcement(api: FakeBotApi, stocked: Live) -> None:
    (announced,) = await stocked.send(7, "I am drawing it.", buttons=(("cancel", "cancel:j1"),))
    ids = await stocked.send(
        7, "Here it is.", media=(PICTURE,), preview=announced, buttons=(("variations", "variations:a1"),)
    )
    assert ids == [announced]
    (shown,) = api.visible(7)
    assert (shown.text, shown.media) == ("Here it is.", [("photo", picture())])
    assert shown.buttons[0][0]["callback_data"] == "variations:a1"
    assert [call.method for call in api.calls] == ["sendMessage", "editMessageMedia"]


async def test_a_picture_whose_announcement_is_gone_comes_by_itself(api: FakeBotApi, stocked: Live) -> None:
    ids = await stocked.send("-7/3", "Here.", media=(PICTURE,), preview="4711", reply_to="5")
    (shown,) = api.visible(-7)
    assert (str(shown.message_id), shown.thread, shown.reply_to) == (ids[0], 3, 5)


async def test_a_clip_tells_its_size_and_length(api: FakeBotApi, stocked: Live) -> None:
    await stocked.send(7, "", media=(CLIP,))
    call = api.calls[0]
    assert (call.method, call.params["width"], call.params["duration"]) == ("sendVideo", 64, 2)
    assert call.params["supports_streaming"] is True


async def test_several_pictures_are_an_album_and_the_announcement_goes(
    api: FakeBotApi, stocked: Live
) -> None:
    (announced,) = await stocked.send(7, "I am drawing it.")
    ids = await stocked.send(7, "Here.", media=(PICTURE, PICTURE, PICTURE), preview=announced)
    assert len(ids) == 3 and kinds(api) == [("Here.", ["photo"]), ("", ["photo"]), ("", ["photo"])]
    assert api.count("sendMediaGroup") == 1


async def test_an_album_that_was_sent_is_not_sent_again(api: FakeBotApi, stocked: Live) -> None:
    assert await stocked.send(7, "", "1", "2", "3", media=(PICTURE,) * 3) == []
    assert not api.visible(7)


async def test_what_telegram_takes_for_no_photo_goes_as_a_document(api: FakeBotApi, stocked: Live) -> None:
    long = Media("a3", PICTURE.key, "image/png", 9000, 3000, 100)
    await stocked.send(7, "", media=(long,))
    assert api.calls[0].method == "sendDocument"


async def test_a_file_that_is_gone_is_told_in_words(api: FakeBotApi, stocked: Live) -> None:
    await stocked.send(7, "Here.", media=(Media("a4", "gone.png", "image/png"),), language="ru")
    assert [one.text for one in api.visible(7)] == ["Эта картинка больше не хранится."]


async def test_a_flood_is_waited_for(api: FakeBotApi, stocked: Live) -> None:
    api.fault(Fault("429", method="sendPhoto", retry_after=1))
    with pytest.raises(Exception, match="retry after"):
        await stocked.send(7, "", media=(PICTURE,))


def view(**values: Any) -> JobView:
    return JobView("j1", "m1", "7", values.pop("external_id"), values.pop("words"), **values)


async def test_progress_in_words_then_with_a_preview(api: FakeBotApi, stocked: Live) -> None:
    (announced,) = await stocked.send(7, "I am drawing it.")
    assert await stocked.channel.progress(view(external_id=announced, words="▰▱ 50 %"))
    assert api.visible(7)[0].text == "▰▱ 50 %"
    assert api.visible(7)[0].buttons[0][0]["callback_data"] == "cancel:j1"
    shown = view(external_id=announced, words="▰▰ 80 %", preview=picture())
    while not await stocked.channel.progress(shown):
        await asyncio.sleep(0.05)
    assert kinds(api) == [("▰▰ 80 %", ["photo"])]
    await stocked.send(7, "Here.", media=(PICTURE,), preview=announced)
    assert kinds(api) == [("Here.", ["photo"])]


async def test_a_command_brings_its_pictures(api: FakeBotApi, stocked: Live) -> None:
    update = api.inject_photo(TOKEN, 7, picture(), "/image make it winter")
    message = stocked.channel.parse(json.dumps(update))
    assert message is not None
    assert (message.command, message.argument, len(message.attachments)) == ("image", "make it winter", 1)


@pytest.mark.parametrize("data", ["cancel:j1", "again:j1", "variations:a1", "upscale:a1", "animate:a1"])
async def test_buttons_are_commands(api: FakeBotApi, stocked: Live, data: str) -> None:
    update = api.inject_callback(TOKEN, 7, 5, data)
    message = stocked.channel.parse(json.dumps(update))
    assert message is not None and f"{message.command}:{message.argument}" == data


def test_captions_are_cut_where_telegram_cuts() -> None:
    assert short("x" * 1024) == "x" * 1024
    assert len(short("😀" * 600).encode("utf-16-le")) // 2 <= 1024
