"""Sending what was made: in the place of the message that announced it, or as a message of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol

from bots.address import Address
from bots.media import LARGEST_FILE, MOST_IN_ALBUM, Upload, albums, input_media, single
from core.channel import PictureLost, Rejected
from core.messages import Media, OutboundMessage
from core.texts import text

Params = dict[str, Any]


class Deliver(Protocol):
    """A call by its method; raises what the outbox understands."""

    def __call__(
        self, address: Address, method: str, params: Params, files: Sequence[Upload] = ()
    ) -> Awaitable[Any]:
        """The call's result."""
        ...


class MediaSender:
    """Sends the media of a message; `read` fetches a file by its key in the store."""

    def __init__(self, deliver: Deliver, read: Callable[[str], Awaitable[bytes]]) -> None:
        self._deliver = deliver
        self._read = read

    async def send(self, message: OutboundMessage, sent: Sequence[str], extra: Params) -> AsyncIterator[str]:
        """Send what is not sent yet; yields the id of each message. `extra` are further parameters: buttons,
        a quote. A file that is gone is told of in words."""
        address = Address.parse(message.chat_key)
        if len(message.media) == 1:
            if not sent:
                yield await self._one(address, message, extra)
            return
        at = len(sent)
        for group in albums(message.media)[-(-at // MOST_IN_ALBUM) :]:  # an album goes out whole
            ids = await self._group(address, group, message.text if not at else "", extra)
            for one in ids:
                yield one
        if message.preview:
            await self._remove(address, message.preview)

    async def _one(self, address: Address, message: OutboundMessage, extra: Params) -> str:
        medium = message.media[0]
        try:
            upload = await self._upload(medium, "file")
        except PictureLost:
            return await self._in_words(address, message, extra)
        own = {name: value for name, value in extra.items() if name != "reply_parameters"}
        if message.preview:
            params = {"message_id": int(message.preview), "media": input_media(medium, upload, message.text)}
            try:
                await self._deliver(address, "editMessageMedia", {**own, **params}, [upload])
            except Rejected:
                pass  # it was deleted, or is too old to be edited
            else:
                return message.preview
        method, params = single(medium, upload, message.text)
        result = await self._deliver(address, method, {**extra, **params}, [upload])
        return str(result["message_id"])

    async def _group(
        self, address: Address, group: Sequence[Media], caption: str, extra: Params
    ) -> list[str]:
        uploads = [await self._upload(one, f"file{at}") for at, one in enumerate(group)]
        own = {name: value for name, value in extra.items() if name != "reply_markup"}
        if len(group) == 1:
            method, params = single(group[0], uploads[0], caption)
            result = [await self._deliver(address, method, {**own, **params}, uploads)]
        else:
            media = [
                input_media(one, upload, caption if not at else "")
                for at, (one, upload) in enumerate(zip(group, uploads, strict=True))
            ]
            result = await self._deliver(address, "sendMediaGroup", {**own, "media": media}, uploads)
        return [str(one["message_id"]) for one in result]

    async def _upload(self, medium: Media, name: str) -> Upload:
        if medium.size > LARGEST_FILE:
            raise PictureLost(f"{medium.size} bytes are too many for Telegram")
        return Upload(name, await self._read(medium.key), medium.mime)

    async def _in_words(self, address: Address, message: OutboundMessage, extra: Params) -> str:
        words = {"text": text("media_gone", message.language)}
        result = await self._deliver(address, "sendMessage", {**extra, **words})
        return str(result["message_id"])

    async def _remove(self, address: Address, message_id: str) -> None:
        try:
            await self._deliver(address, "deleteMessage", {"message_id": int(message_id)})
        except Rejected:
            return  # it is gone already
