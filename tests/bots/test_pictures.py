"""Photos, documents and albums: one question each, fetched whole or left out."""

import asyncio
import json
from typing import Any

import pytest

from bots.intake import Intake
from bots.pictures import with_albums
from core.channel import PictureLost
from core.messages import Attachment, InboundMessage
from tests.bots.host import TOKEN, Live
from tests.core.pictures import png, png_head
from tests.fakes.bot_api import FakeBotApi, Fault

CHAT = {"id": 7, "type": "private", "first_name": "Ann"}
GROUP = {"id": -7, "type": "supergroup", "title": "Group"}
ANN = {"id": 7, "first_name": "Ann", "language_code": "en"}
SIZES = [
    {"file_id": "small", "width": 90, "height": 90, "file_size": 1000},
    {"file_id": "large", "width": 1280, "height": 960, "file_size": 200_000},
    {"file_id": "huge", "width": 9000, "height": 9000, "file_size": 11_000_000},
]


def said(chat: dict[str, Any] = CHAT, **fields: Any) -> InboundMessage | None:
    message = {"message_id": 1, "chat": chat, "from": ANN, **fields}
    return Intake(1, "shop_bot").parse(json.dumps({"update_id": 1, "message": message}))


def refs(message: InboundMessage | None) -> list[str]:
    assert message is not None
    return [one.ref for one in message.attachments]


def test_the_largest_size_that_may_be_fetched_is_taken() -> None:
    message = said(photo=SIZES, caption="What is it?")
    assert message is not None and message.text == "What is it?"
    assert message.attachments == (Attachment("large"),)


def test_a_photo_without_words_is_a_question_too() -> None:
    message = said(photo=SIZES)
    assert message is not None and (message.text, message.command) == ("", None)


@pytest.mark.parametrize("mime", ["image/png", "image/jpeg", "image/webp", "image/gif"])
def test_a_document_that_is_a_picture_counts(mime: str) -> None:
    assert refs(said(document={"file_id": "doc", "mime_type": mime}, caption="?")) == ["doc"]


@pytest.mark.parametrize("mime", ["application/pdf", "image/svg+xml", "video/mp4", None, 7])
def test_other_documents_are_no_pictures(mime: Any) -> None:
    assert said(document={"file_id": "doc", "mime_type": mime}) is None


def test_the_picture_that_is_replied_to_belongs_to_the_question() -> None:
    replied = {"message_id": 0, "from": ANN, "photo": SIZES}
    assert refs(said(text="What is it?", reply_to_message=replied)) == ["large"]
    assert refs(said(photo=SIZES, caption="And this?", reply_to_message=replied)) == ["large"]


def test_in_a_group_a_picture_counts_when_the_bot_is_meant() -> None:
    assert said(GROUP, photo=SIZES, caption="look") is None
    assert refs(said(GROUP, photo=SIZES, caption="@shop_bot what is it?")) == ["large"]
    answered = {"message_id": 0, "from": {"id": 1, "is_bot": True}}
    assert refs(said(GROUP, photo=SIZES, reply_to_message=answered)) == ["large"]


@pytest.mark.parametrize("photo", [None, 7, "x", [], [7], [{}], [{"file_id": 7}], {"file_id": "a"}])
def test_odd_photos_are_none(photo: Any) -> None:
    assert said(photo=photo) is None
    assert refs(said(photo=photo, text="hi")) == []


def part(number: int, album: str, ref: str, **fields: Any) -> dict[str, Any]:
    photo = [{"file_id": ref, "width": 9, "height": 9}]
    message = {"message_id": number, "chat": CHAT, "from": ANN, "media_group_id": album, "photo": photo}
    return {"update_id": number, "message": {**message, **fields}}


def test_an_album_is_one_update_that_its_caption_speaks_for() -> None:
    other = {"update_id": 12, "message": {"message_id": 12, "chat": CHAT, "from": ANN, "text": "hi"}}
    updates = [part(10, "a", "one"), part(11, "a", "two", caption="All?"), other, part(13, "a", "three")]
    album, text = with_albums(updates)
    assert (album["update_id"], text) == (13, other)
    message = Intake(1, "shop_bot").parse(json.dumps(album))
    assert message is not None and message.text == "All?"
    assert sorted(refs(message)) == ["one", "three", "two"]


def test_albums_of_two_chats_are_two() -> None:
    stranger = part(11, "a", "two", chat={**CHAT, "id": 8})
    assert len(with_albums([part(10, "a", "one"), stranger, 7, None, {}])) == 5


async def test_a_picture_is_fetched_whole(api: FakeBotApi, live: Live) -> None:
    picture = await live.channel.picture(api.add_file(TOKEN, png(3, 3)))
    assert (picture.mime, picture.body) == ("image/png", png(3, 3))


@pytest.mark.parametrize(
    "body", [b"<html>", png_head(20_000, 20_000), png() + bytes(10 * 1024 * 1024), bytes(21 * 1024 * 1024)]
)
async def test_what_is_none_or_too_large_is_lost(api: FakeBotApi, live: Live, body: bytes) -> None:
    with pytest.raises(PictureLost) as caught:
        await live.channel.picture(api.add_file(TOKEN, body))
    assert "secret" not in str(caught.value)


async def test_an_unknown_picture_is_lost(api: FakeBotApi, live: Live) -> None:
    with pytest.raises(PictureLost):
        await live.channel.picture("nothing")


async def test_a_passing_fault_is_tried_again(api: FakeBotApi, live: Live) -> None:
    ref = api.add_file(TOKEN, png())
    api.fault(Fault("429", method="getFile", retry_after=1))
    api.fault(Fault("drop", method="getFile"))
    assert (await live.channel.picture(ref)).body == png()


async def test_an_album_that_arrives_in_pieces_is_one_message(api: FakeBotApi, live: Live) -> None:
    live.receive()
    await api.wait(lambda: api.bot(TOKEN).poll is not None)
    for number in range(3):
        api.inject_photo(
            TOKEN, 7, png(number + 1), "All of them?" if not number else None, media_group_id="9"
        )
        await asyncio.sleep(0.1)
    await live.host.until(lambda: bool(live.host.accepted))
    api.inject_message(TOKEN, 7, "next")
    await live.host.until(lambda: len(live.host.accepted) == 2)
    album, after = [live.channel.parse(one.raw) for one in live.host.accepted]
    assert album is not None and after is not None
    assert (album.text, len(album.attachments), after.text) == ("All of them?", 3, "next")
