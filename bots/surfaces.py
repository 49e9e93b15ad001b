"""Where a preview is shown: a draft in a private chat, or a message that is edited."""

import zlib
from dataclasses import dataclass
from typing import Any, Protocol

from bots.address import Address
from bots.api import ApiError, BotApi
from bots.formatting import render
from bots.limits import Pace
from bots.sending import NO_PREVIEWS, UNCHANGED, keyboard, reply
from bots.splitting import Part
from core.channel import PreviewTarget
from core.messages import InboundMessage

SEND_WITHIN = 10.0  # seconds; a preview is worth no longer wait


@dataclass(slots=True)
class DraftSupport:
    """Whether this bot's server takes drafts; learned once."""

    refused: bool = False
    worked: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """What the previews of one bot share."""

    api: BotApi
    pace: Pace
    drafts: DraftSupport


class Surface(Protocol):
    """Shows texts, one call at a time. `first`, `every`: seconds before the first and between two;
    `refresh`: the same text again after so long; `thinking`: when to show that nothing is there yet."""

    first: float
    every: float
    refresh: float
    thinking: float

    @property
    def message_id(self) -> str | None:
        """The message that the final one should replace."""
        ...

    async def show(self, text: str) -> bool:
        """Show a text; False when it has to wait. Raises ApiError or Unreachable."""
        ...


class DraftSurface:
    """A draft: it animates, it goes away by itself after 30 s, the app shows its own Stop button."""

    first = 0.15
    every = 0.4
    refresh = 25.0
    thinking = 1.0
    message_id = None

    def __init__(self, stage: Stage, address: Address, target: PreviewTarget) -> None:
        self._stage = stage
        self._address = address
        self._draft_id = zlib.crc32(target.message_id.encode()) & 0x7FFFFFFF or 1

    async def show(self, text: str) -> bool:
        """Send the draft: the end of the text when it is long."""
        if await self._stage.pace.preview(self._address.chat_id, counted=False) is None:
            return False
        params: dict[str, Any] = {
            **self._address.params,
            "draft_id": self._draft_id,
            "can_stop": True,
            "text": "",
        }
        if text:
            part = render(text)[-1]
            params |= {"text": part.text, "entities": part.entities}
        else:
            params["text"] = ""
        await self._stage.api.call("sendMessageDraft", params, SEND_WITHIN)
        self._stage.drafts.worked = True
        return True


class EditSurface:
    """A message that is edited, slowly, with a Stop button of ours."""

    first = 1.0
    in_group, in_private = 4.0, 2.0
    refresh = float("inf")
    thinking = float("inf")

    def __init__(self, stage: Stage, message: InboundMessage, target: PreviewTarget) -> None:
        self._stage = stage
        self._message = message
        self._address = Address.parse(message.chat_key)
        self._target = target
        self._shown = ""
        self.every = self.in_group if self._address.group else self.in_private
        self.message_id = target.existing

    async def show(self, text: str) -> bool:
        """Send the message or edit it: the beginning of the text when it is long."""
        part = render(text)[0]
        if part.text == self._shown:
            return True
        slot = await self._stage.pace.preview(self._address.chat_id, counted=True)
        if slot is None:
            return False
        try:
            await self._put(part)
        finally:
            slot.done()
        self._shown = part.text
        return True

    async def _put(self, part: Part) -> None:
        params: dict[str, Any] = {
            "text": part.text,
            "entities": part.entities,
            "link_preview_options": NO_PREVIEWS,
            "reply_markup": keyboard((("stop", "stop"),), self._message.language[:2]),
        }
        if self.message_id is None:
            await self._send(params)
        else:
            await self._edit({**params, "chat_id": self._address.chat_id, "message_id": int(self.message_id)})

    async def _send(self, params: dict[str, Any]) -> None:
        if self._message.reply_to:
            params["reply_parameters"] = reply(self._message.reply_to)
        result = await self._stage.api.call("sendMessage", {**self._address.params, **params}, SEND_WITHIN)
        self.message_id = str(result["message_id"])
        self._target.save(self.message_id)

    async def _edit(self, params: dict[str, Any]) -> None:
        try:
            await self._stage.api.call("editMessageText", params, SEND_WITHIN)
        except ApiError as error:
            if not error.says(UNCHANGED):
                raise
