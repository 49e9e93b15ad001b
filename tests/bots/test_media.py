"""Pictures and videos in Telegram: in the place of the message that announced them, or on their own."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from bots.media import short
from bots.pictures import with_albums
from core.channel import ChatGone, JobView
from core.messages import Media
from tests.bots.host import TOKEN, Live
from tests.fakes.bot_api import FakeBotApi, Fault
from tests.jobs.studio import picture

PICTURE = Media("a1", "2026/a.png", "image/png", 32, 24, 100)
CLIP = Media("a2", "2026/a.mp4", "video/mp4", 64, 64, 100, 2.0)


@pytest.fixture
def stocked(live: Live) -> Live:
    live.host.shelf.files = {PICTURE.key: picture(), CLIP.key: b"\0\0\0 ftypisom" + bytes(50)}
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


@pytest.mark.parametrize(("width", "height", "size"), [(4200, 200, 100), (640, 480, 11 * 2**20)])
async def test_what_is_too_long_or_too_heavy_for_a_photo_goes_as_a_document(
    api: FakeBotApi, stocked: Live, width: int, height: int, size: int
) -> None:
    await stocked.send(7, "", media=(Media("a3", PICTURE.key, "image/png", width, height, size),))
    assert kinds(api) == [("", ["document"])]


async def test_a_photo_that_telegram_refuses_goes_as_a_document(api: FakeBotApi, stocked: Live) -> None:
    (announced,) = await stocked.send(7, "I am drawing it.")
    api.fault(Fault("error", method="editMessageMedia", description="Bad Request: IMAGE_PROCESS_FAILED"))
    ids = await stocked.send(7, "Here.", media=(PICTURE,), preview=announced)
    assert ids == [announced] and kinds(api) == [("Here.", ["document"])]


async def test_an_album_of_ten_and_more(api: FakeBotApi, stocked: Live) -> None:
    many = tuple(Media(f"n{at}", PICTURE.key, "image/png", 32, 24, 100) for at in range(21))
    ids = await stocked.send(7, "x" * 1100, media=many)
    assert len(ids) == 21 and api.count("sendMediaGroup") == 2 and api.count("sendPhoto") == 1
    assert [len(one.text) for one in api.visible(7)] == [1024] + [0] * 20
    again = await stocked.send(7, "", *ids[:10], media=many)
    assert len(again) == 11


async def test_one_document_makes_an_album_one_of_documents(api: FakeBotApi, stocked: Live) -> None:
    heavy = Media("a3", PICTURE.key, "image/png", 640, 480, 11 * 2**20)
    await stocked.send(7, "Here.", media=(PICTURE, heavy, PICTURE))
    assert kinds(api) == [("Here.", ["document"]), ("", ["document"]), ("", ["document"])]


async def test_an_album_goes_out_without_what_is_gone(api: FakeBotApi, stocked: Live) -> None:
    ids = await stocked.send(
        7, "Here.", media=(PICTURE, Media("a4", "gone.png", "image/png"), replace(PICTURE, artifact="a5"))
    )
    assert kinds(api) == [("Here.", ["photo"]), ("", ["photo"]), ("This picture is not kept any more.", [])]
    assert len(ids) == 3


@pytest.mark.parametrize("public", ["https://chat.example/media/", ""])
async def test_a_clip_that_is_too_large_for_telegram_is_a_link(
    api: FakeBotApi, stocked: Live, public: str
) -> None:
    stocked.host.shelf.public = public
    (announced,) = await stocked.send(7, "I am making the video.", buttons=(("cancel", "cancel:j1"),))
    huge = Media("a6", CLIP.key, "video/mp4", 1920, 1080, 51 * 2**20, 60.0)
    assert await stocked.send(7, "Here is the video.", media=(huge,), preview=announced) == [announced]
    (shown,) = api.visible(7)
    assert shown.text.startswith("It is ready, but") and shown.buttons == []
    assert ("https://chat.example/media/a6" in shown.text) == bool(public)


async def test_what_was_uploaded_once_is_sent_by_its_id(api: FakeBotApi, stocked: Live) -> None:
    await stocked.send(7, "Here.", media=(PICTURE,))
    known = stocked.host.shelf.known["a1", "telegram:11"]
    stocked.host.shelf.files.clear()  # it needs no bytes any more
    (announced,) = await stocked.send(8, "I am drawing it.")
    await stocked.send(8, "Here.", media=(PICTURE,), preview=announced)
    assert [one.media for one in api.visible(8)] == [[("photo", picture())]]
    assert api.calls[-1].params["media"]["media"] == known


async def test_a_result_that_is_repeated_after_a_crash_stays_one(api: FakeBotApi, stocked: Live) -> None:
    (announced,) = await stocked.send(7, "I am drawing it.")
    for _ in range(2):
        assert await stocked.send(7, "Here.", media=(PICTURE,), preview=announced) == [announced]
    assert kinds(api) == [("Here.", ["photo"])] and api.refused[-1][3].startswith(
        "Bad Request: message is not"
    )


async def test_an_album_of_known_and_new_files(api: FakeBotApi, stocked: Live) -> None:
    other = replace(PICTURE, artifact="a5")
    await stocked.send(7, "", media=(PICTURE,))
    await stocked.send(7, "", media=(PICTURE, other))
    sent = [one["media"] for one in api.calls[-1].params["media"]]
    assert sent == [stocked.host.shelf.known["a1", "telegram:11"], "attach://file1"]
    assert stocked.host.shelf.known["a5", "telegram:11"]


async def test_an_id_that_telegram_refuses_is_an_upload_again(api: FakeBotApi, stocked: Live) -> None:
    await stocked.send(7, "", media=(PICTURE,))
    api.forget_files(TOKEN)
    (announced,) = await stocked.send(8, "I am drawing it.")
    assert await stocked.send(8, "Here.", media=(PICTURE,), preview=announced) == [announced]
    await stocked.send(8, "", media=(PICTURE, CLIP))
    assert kinds(api, 8) == [("Here.", ["photo"]), ("", ["photo"]), ("", ["video"])]
    assert "wrong remote file identifier" in api.refused[0][3]


async def test_a_refusal_of_every_shape_is_told_in_words(api: FakeBotApi, stocked: Live) -> None:
    no = "Bad Request: not enough rights to send photos to the chat"
    api.fault(Fault("error", method="sendPhoto", description=no))
    api.fault(Fault("error", method="sendDocument", description=no))
    await stocked.send(-7, "Here.", media=(PICTURE,))
    assert "https://chat.example/media/a1" in api.visible(-7)[0].text


async def test_a_result_follows_a_group_that_became_a_supergroup(api: FakeBotApi, stocked: Live) -> None:
    gone = "Bad Request: group chat was upgraded to a supergroup chat"
    api.fault(Fault("error", 9, chat_id=-7, description=gone, migrate_to=-1007))
    await stocked.channel.progress(view(chat="-7", external_id="5", words="50 %"))
    await stocked.send(-7, "Here.", media=(PICTURE,), preview="5")
    assert kinds(api, -1007) == [("Here.", ["photo"])]


async def test_a_bot_that_was_blocked_during_a_job_gives_up(api: FakeBotApi, stocked: Live) -> None:
    (announced,) = await stocked.send(7, "I am drawing it.")
    api.block(TOKEN, 7)
    assert await stocked.channel.progress(view(external_id=announced, words="50 %"))
    with pytest.raises(ChatGone):
        await stocked.send(7, "Here.", media=(PICTURE,), preview=announced)


async def test_a_file_that_is_gone_is_told_in_words(api: FakeBotApi, stocked: Live) -> None:
    await stocked.send(7, "Here.", media=(Media("a4", "gone.png", "image/png"),), language="ru")
    assert [one.text for one in api.visible(7)] == ["Эта картинка больше не хранится."]


async def test_a_flood_is_waited_for(api: FakeBotApi, stocked: Live) -> None:
    api.fault(Fault("429", method="sendPhoto", retry_after=1))
    with pytest.raises(Exception, match="retry after"):
        await stocked.send(7, "", media=(PICTURE,))


def view(chat: str = "7", **values: Any) -> JobView:
    return JobView("j1", "m1", chat, values.pop("external_id"), values.pop("words"), **values)


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


async def test_progress_that_is_refused_waits_and_the_result_comes(api: FakeBotApi, stocked: Live) -> None:
    (announced,) = await stocked.send(7, "I am drawing it.")
    api.fault(Fault("429", method="editMessageText", retry_after=1))
    assert not await stocked.channel.progress(view(external_id=announced, words="10 %"))
    assert not await stocked.channel.progress(view(external_id=announced, words="20 %"))
    assert len(api.refused) == 1  # the second one did not even ask
    await stocked.send(7, "Here.", media=(PICTURE,), preview=announced)
    assert kinds(api) == [("Here.", ["photo"])]
    assert api.calls[-1].at - api.refused[0][4] >= 1.0


async def test_progress_of_a_deleted_announcement_is_let_be(api: FakeBotApi, stocked: Live) -> None:
    assert await stocked.channel.progress(view(external_id="4711", words="10 %"))
    assert not api.visible(7)


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


async def test_a_button_in_a_topic_names_the_topic_and_who_pressed(api: FakeBotApi, stocked: Live) -> None:
    update = api.inject_callback(TOKEN, -7, 5, "cancel:j1", user_id=42, thread=3)
    message = stocked.channel.parse(json.dumps(update))
    assert message is not None and (message.chat_key, message.user_key, message.group) == ("-7/3", "42", True)


async def test_an_album_in_a_topic_answers_who_asked(api: FakeBotApi, stocked: Live) -> None:
    (announced,) = await stocked.send("-7/3", "I am drawing it.", reply_to="5")
    await stocked.send(
        "-7/3", "Here.", media=(PICTURE, replace(PICTURE, artifact="a5")), preview=announced, reply_to="5"
    )
    shown = api.visible(-7)
    assert [(one.thread, one.reply_to) for one in shown] == [(3, 5), (3, 5)]
    assert [one.text for one in shown] == ["Here.", ""]


async def test_tryon_brings_its_album(api: FakeBotApi, stocked: Live) -> None:
    parts = [
        api.inject_photo(TOKEN, 7, picture(), caption, media_group_id="g") for caption in ("/tryon", None)
    ]
    (joined,) = with_albums(parts)
    message = stocked.channel.parse(json.dumps(joined))
    assert message is not None and (message.command, len(message.attachments)) == ("tryon", 2)


def test_captions_are_cut_where_telegram_cuts() -> None:
    assert short("x" * 1024) == "x" * 1024
    assert len(short("😀" * 600).encode("utf-16-le")) // 2 <= 1024
