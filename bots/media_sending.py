"""Sending what was made: in the place of the message that announced it, or as messages of its own.

What Telegram has taken once is sent by the id that it gave; where it refuses that, by an upload; where it
refuses a photo or a video, as a document. What it takes in no shape is told of in words.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from bots.address import Address
from bots.media import LARGEST_FILE, MOST_IN_ALBUM, Sending, Upload, albums, file_id, kinds_in_album
from core.channel import Files, PictureLost, Rejected
from core.messages import Media, OutboundMessage
from core.texts import text

NO_EDIT = ("message to edit", "can't be edited", "message_id", "message not found", "message_edit")
logger = logging.getLogger(__name__)
Params = dict[str, Any]


class Deliver(Protocol):
    """A call by its method; raises what the outbox understands."""

    def __call__(
        self, address: Address, method: str, params: Params, files: Sequence[Upload] = ()
    ) -> Awaitable[Any]:
        """The call's result."""
        ...


class MediaSender:
    """Sends the media of messages for the bot that is called `name` among those who know files."""

    def __init__(self, deliver: Deliver, files: Files, name: str) -> None:
        self._deliver = deliver
        self._files = files
        self._name = name

    async def send(self, message: OutboundMessage, sent: Sequence[str], extra: Params) -> AsyncIterator[str]:
        """Send what is not sent yet; yields the id of each message. `extra` are further parameters: buttons,
        a quote."""
        address = Address.parse(message.chat_key)
        if len(message.media) == 1:
            for one in [] if sent else await self._part(address, message, extra):
                yield one
            return
        at = len(sent)
        own = {name: value for name, value in extra.items() if name != "reply_markup"}
        for group in albums(message.media)[-(-at // MOST_IN_ALBUM) :]:  # an album goes out whole
            part = replace(message, media=tuple(group), text="" if at else message.text, preview=None)
            for one in await self._part(address, part, own):
                at += 1
                yield one
        if message.preview:
            await self._remove(address, message.preview)

    async def _part(self, address: Address, message: OutboundMessage, extra: Params) -> list[str]:
        """Send one file or one album: as many messages as it has files at most, one at least."""
        media = message.media
        fitting = [one for one in media if one.size <= LARGEST_FILE]
        known = await self._files.sent_as([one.artifact for one in fitting], self._name)
        ids: list[str] = []
        rest, gone = list(media), False
        for kinds, ids_known in _attempts(fitting, known):
            files = await self._loaded(zip(fitting, kinds, strict=True), ids_known)
            gone = len(files) < len(fitting)
            if not files:
                break
            try:
                ids = await self._shown(address, message, files, extra)
            except Rejected as error:
                logger.info("files were refused as %s: %s", kinds, error)
                continue
            rest = [one for one in media if one not in [file.media for file in files]]
            break
        if rest:
            ids.append(await self._in_words(address, message, rest, extra, gone=gone))
        return ids

    async def _loaded(self, media: Iterable[tuple[Media, str]], known: Mapping[str, str]) -> list[Sending]:
        """The files, without those that are not kept any more."""
        found = []
        for at, (one, kind) in enumerate(media):
            try:
                file = known.get(one.artifact) or Upload(
                    f"file{at}", await self._files.read(one.key), one.mime
                )
            except PictureLost as error:
                logger.warning("%s cannot be sent: %s", one.artifact, error)
            else:
                found.append(Sending(one, kind, file))
        return found

    async def _shown(
        self, address: Address, message: OutboundMessage, files: Sequence[Sending], extra: Params
    ) -> list[str]:
        uploads = [one for file in files for one in file.uploads]
        if len(files) > 1:
            media = [one.input_media("" if at else message.text) for at, one in enumerate(files)]
            shown = await self._deliver(address, "sendMediaGroup", {**extra, "media": media}, uploads)
        elif message.preview and await self._edited(address, message, files[0], extra):
            return [message.preview]
        else:
            method, params = files[0].single(message.text)
            shown = [await self._deliver(address, method, {**extra, **params}, uploads)]
        self._remember(files, shown)
        return [str(one["message_id"]) for one in shown]

    async def _edited(self, address: Address, message: OutboundMessage, file: Sending, extra: Params) -> bool:
        """Put the file into the announcement; False when that is gone or too old to be edited."""
        params = {"message_id": int(message.preview or 0), "media": file.input_media(message.text)}
        try:
            shown = await self._deliver(
                address, "editMessageMedia", {**_unquoted(extra), **params}, file.uploads
            )
        except Rejected as error:
            if any(words in str(error).lower() for words in NO_EDIT):
                return False
            raise
        self._remember([file], [shown])
        return True

    def _remember(self, files: Sequence[Sending], shown: Sequence[Any]) -> None:
        pairs = zip(files, shown, strict=True)
        new = {one.media.artifact: file_id(said, one.kind) for one, said in pairs if one.uploads}
        if new := {artifact: known for artifact, known in new.items() if known}:
            self._files.remember(new, self._name)

    async def _in_words(
        self, address: Address, message: OutboundMessage, rest: Sequence[Media], extra: Params, *, gone: bool
    ) -> str:
        """Say what is not shown, and where it is."""
        links = [] if gone else [await self._files.link(one.artifact) for one in rest]
        key = "media_gone" if gone else "media_elsewhere" if all(links) else "media_not_shown"
        words = {"text": "\n".join([text(key, message.language), *filter(None, links)])}
        if message.preview:
            params = {**_unquoted(extra), **words, "message_id": int(message.preview)}
            try:
                await self._deliver(address, "editMessageText", params)
            except Rejected:
                await self._remove(address, message.preview)
            else:
                return message.preview
        return str((await self._deliver(address, "sendMessage", {**extra, **words}))["message_id"])

    async def _remove(self, address: Address, message_id: str) -> None:
        try:
            await self._deliver(address, "deleteMessage", {"message_id": int(message_id)})
        except Rejected:
            return  # it is gone already


def _attempts(
    media: Sequence[Media], known: Mapping[str, str]
) -> Iterator[tuple[list[str], Mapping[str, str]]]:
    """What files may be sent as, and by which ids: the likeliest first."""
    kinds = kinds_in_album(media)
    if known:
        yield kinds, known
    yield kinds, {}
    if set(kinds) != {"document"}:
        yield ["document"] * len(kinds), {}


def _unquoted(extra: Params) -> Params:
    """Parameters of an edit: a quote stays as it is."""
    return {name: value for name, value in extra.items() if name != "reply_parameters"}
