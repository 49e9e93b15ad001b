"""Sending messages: parts, previews finished by an edit, and refusals by their meaning.

A send whose answer was lost may have arrived. It is sent again: seen twice is better than never.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Any

from bots.address import Address
from bots.api import ApiError, BotApi, Unreachable
from bots.formatting import render
from bots.limits import Pace
from bots.media import Upload
from bots.media_sending import MediaSender
from bots.splitting import Part
from core.channel import ChatGone, Files, Rejected, RetryLater
from core.messages import OutboundMessage
from core.texts import text

LONGEST_PAUSE = 30.0
TOKEN_PAUSE = 30.0
IN_A_ROW = 3
GONE = ("chat not found", "chat was deleted", "user is deactivated", "thread not found", "topic_deleted")
UNCHANGED = "message is not modified"
NO_PREVIEWS = {"is_disabled": True}
Params = dict[str, Any]


class Sender:
    """Sends for one bot, within its pace; `name` is what its uploads are remembered under."""

    def __init__(self, api: BotApi, pace: Pace, files: Files, name: str) -> None:
        self._api = api
        self._pace = pace
        self._failures = 0
        self._media = MediaSender(self._deliver, files, name)

    async def send(self, message: OutboundMessage, sent: Sequence[str]) -> AsyncIterator[str]:
        """Send the parts after those already sent; yields the id of each as it goes out."""
        address = Address.parse(message.chat_key)
        if message.status == "silent":
            return
        if message.media:
            async for one in self._media.send(message, sent, _around(message)):
                yield one
            return
        parts = render(
            message.text,
            plain=message.plain,
            thoughts=message.reasoning,
            title=text("thoughts", message.language),
        )
        for number in range(len(sent), len(parts)):
            params = _content(parts[number])
            if message.buttons and number == len(parts) - 1:
                params["reply_markup"] = keyboard(message.buttons, message.language)
            if number == 0 and message.preview and await self._finish(address, message.preview, params):
                yield message.preview
                continue
            if number == 0 and message.reply_to:
                params["reply_parameters"] = reply(message.reply_to)
            result = await self._deliver(address, "sendMessage", params)
            yield str(result["message_id"])

    async def _finish(self, address: Address, preview: str, params: Params) -> bool:
        """Edit the preview; False when it is gone or cannot be edited any more."""
        try:
            await self._deliver(address, "editMessageText", {**params, "message_id": int(preview)})
        except (Rejected, ValueError):
            return False
        return True

    async def _deliver(
        self, address: Address, method: str, params: Params, files: Sequence[Upload] = ()
    ) -> Any:
        try:
            return await self._call(address, method, params, files)
        except ApiError as error:
            if error.says(UNCHANGED):
                return True
            if error.migrated_to is not None:
                moved = Address(error.migrated_to, address.thread)
                return await self._again(moved, method, params, files)
            if "entities" not in params or error.says("message to edit", "can't be edited"):
                raise Rejected(error.description) from None
        plain = {name: value for name, value in params.items() if name != "entities"}
        return await self._again(address, method, plain)

    async def _again(
        self, address: Address, method: str, params: Params, files: Sequence[Upload] = ()
    ) -> Any:
        try:
            return await self._call(address, method, params, files)
        except ApiError as error:
            if error.says(UNCHANGED):
                return True
            raise Rejected(error.description) from None

    async def _call(self, address: Address, method: str, params: Params, files: Sequence[Upload] = ()) -> Any:
        """A call whose ApiError means that the message itself is wrong."""
        where = address.params if method.startswith("send") else {"chat_id": address.chat_id}
        slot = await self._pace.turn(address.chat_id)
        try:
            if files:
                result = await self._api.upload(method, {**where, **params}, files)
            else:
                result = await self._api.call(method, {**where, **params})
        except Unreachable as error:
            raise self._later(f"the Bot API cannot be reached ({error})") from None
        except ApiError as error:
            self._judge(error, address)
            raise
        finally:
            slot.done()
        self._failures = 0
        return result

    def _judge(self, error: ApiError, address: Address) -> None:
        if error.code == 429:
            self._pace.refused(address.chat_id, error.retry_after)
            raise RetryLater(error.retry_after, error.description)
        if error.code in (401, 404):  # the poller hears the same and ends the process
            raise RetryLater(TOKEN_PAUSE, error.description)
        if error.code == 403 or error.says(*GONE):
            raise ChatGone(error.description)
        if error.code >= 500:
            raise self._later(f"the Bot API answered {error}")

    def _later(self, reason: str) -> RetryLater:
        self._failures += 1
        return RetryLater(min(0.25 * 2 ** min(self._failures, 10), LONGEST_PAUSE), reason)


def _content(part: Part) -> Params:
    content: Params = {"text": part.text, "link_preview_options": NO_PREVIEWS}
    return {**content, "entities": part.entities} if part.entities else content


def _around(message: OutboundMessage) -> Params:
    """What a message of media has besides them: buttons and a quote."""
    extra: Params = {}
    if message.buttons:
        extra["reply_markup"] = keyboard(message.buttons, message.language)
    return {**extra, "reply_parameters": reply(message.reply_to)} if message.reply_to else extra


def reply(message_id: str) -> Params:
    """Quote a message, if it is still there."""
    number = int(message_id) if message_id.isdigit() else 0
    return {"message_id": number, "allow_sending_without_reply": True}


def keyboard(buttons: Sequence[tuple[str, str]], language: str) -> Params:
    """Buttons below a message: (text key, action) pairs, at most three side by side."""
    made = [_button(key, action, language) for key, action in buttons]
    return {"inline_keyboard": [made[at : at + IN_A_ROW] for at in range(0, len(made), IN_A_ROW)]}


def _button(key: str, action: str, language: str) -> Params:
    return {"text": text(key, language), "callback_data": action}
