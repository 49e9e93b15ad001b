"""Pictures in Telegram: which ones a message brings, albums as one message, and fetching them."""

import asyncio
from collections.abc import Iterable
from typing import Any

from bots.api import ApiError, BotApi, Unreachable
from core.channel import PictureLost
from core.messages import Attachment
from core.pictures import LARGEST, NotAPicture, Picture, read_picture

MIMES = ("image/png", "image/jpeg", "image/webp", "image/gif")
ALBUM = "botyard_album"  # our own name, in a joined update: the messages of the album's other pictures
TRIES = 3
PAUSE, LONGEST_PAUSE = 0.5, 5.0  # seconds
Raw = dict[str, Any]


def pictures_of(update: Raw, message: Raw) -> tuple[Attachment, ...]:
    """The pictures of a message, of the rest of its album, and of the message that it replies to."""
    album = update.get(ALBUM)
    holders = [message, *(album if isinstance(album, list) else ()), message.get("reply_to_message")]
    refs = [_ref(holder) for holder in holders if isinstance(holder, dict)]
    return tuple(Attachment(ref) for ref in dict.fromkeys(refs) if ref)


def in_album(update: Any) -> str:
    """The album that an update is a part of; "" for none."""
    message = update.get("message") if isinstance(update, dict) else None
    album = message.get("media_group_id") if isinstance(message, dict) else None
    chat = message.get("chat") if isinstance(message, dict) else None
    return f"{chat.get('id')}/{album}" if isinstance(chat, dict) and isinstance(album, str) else ""


def with_albums(updates: Iterable[Any]) -> list[Any]:
    """The same updates, with each album as one: the part with the caption speaks for all of it.

    It has the number of its last part: were a batch to come again with more of the album, after a crash
    before it was confirmed, the album would be answered twice and no picture be lost.
    """
    found: list[Any] = []
    albums: dict[str, int] = {}  # where each is in `found`
    for update in updates:
        name = in_album(update)
        if name and name in albums:
            found[albums[name]] = _joined(found[albums[name]], update)
            continue
        if name:
            albums[name] = len(found)
        found.append(update)
    return found


async def fetch(api: BotApi, ref: str) -> Picture:
    """A picture by its file id. Raises PictureLost."""
    for attempt in range(1, TRIES + 1):
        try:
            file = await api.call("getFile", {"file_id": ref})
            path = file.get("file_path") if isinstance(file, dict) else None
            if not isinstance(path, str):
                raise PictureLost("the server names no path")
            return read_picture(await api.download(path, LARGEST))
        except NotAPicture as error:
            raise PictureLost(str(error)) from None
        except (ApiError, Unreachable) as error:
            pause = error.retry_after if isinstance(error, ApiError) else PAUSE * attempt
            passing = isinstance(error, Unreachable) or error.code == 429 or error.code >= 500
            if not passing or attempt == TRIES or pause > LONGEST_PAUSE:
                raise PictureLost(str(error)) from None
        await asyncio.sleep(pause)
    raise PictureLost("not fetched")


def _ref(message: Raw) -> str:
    """The largest size of a photo that may be fetched, or a document that is a picture."""
    photo = message.get("photo")
    sizes = [one for one in photo if isinstance(one, dict)] if isinstance(photo, list) else []
    fitting = [one for one in sizes if _number(one, "file_size") <= LARGEST and _file_id(one)]
    if fitting:
        return _file_id(max(fitting, key=lambda one: _number(one, "width") * _number(one, "height")))
    document = message.get("document")
    if isinstance(document, dict) and document.get("mime_type") in MIMES:
        return _file_id(document)
    return ""


def _joined(album: Raw, part: Raw) -> Raw:
    """An album's update with one more of its messages."""
    others = list(album.get(ALBUM, ()))
    speaker, other = album["message"], part["message"]
    if "caption" in other and "caption" not in speaker:
        speaker, other = other, speaker
    return {**album, "update_id": part.get("update_id"), "message": speaker, ALBUM: [*others, other]}


def _file_id(holder: Raw) -> str:
    value = holder.get("file_id")
    return value if isinstance(value, str) else ""


def _number(holder: Raw, name: str) -> int:
    value = holder.get(name)
    return value if isinstance(value, int) else 0
