"""How far a job is, shown in the message that announced it: words and a bar, and now and then a preview."""

import logging
import time

from bots.address import Address
from bots.api import ApiError, BotApi, Unreachable
from bots.limits import Pace
from bots.media import Upload
from bots.sending import NO_PREVIEWS, UNCHANGED, keyboard
from core.channel import JobView

PREVIEW_EVERY = 4.0  # seconds between uploads of previews
MOST_REMEMBERED = 1000
CALL_WITHIN = 10.0
NO_TEXT = ("there is no text in the message",)
logger = logging.getLogger(__name__)


class ProgressEditor:
    """Edits the messages of jobs, within the bot's pace."""

    def __init__(self, api: BotApi, pace: Pace) -> None:
        self._api = api
        self._pace = pace
        self._pictured: dict[str, float] = {}  # messages that show a preview, and since when

    async def show(self, view: JobView) -> bool:
        """Show a state; False when it has to wait."""
        address = Address.parse(view.chat_key)
        slot = await self._pace.preview(address.chat_id, counted=True)
        if slot is None:
            return False
        try:
            return await self._edit(address, view)
        except ApiError as error:
            return self._refused(address, view, error)
        except Unreachable as error:
            logger.info("progress was not shown: %s", error)
            return False
        finally:
            slot.done()

    async def _edit(self, address: Address, view: JobView) -> bool:
        shared = {
            "chat_id": address.chat_id,
            "message_id": int(view.external_id),
            "reply_markup": keyboard((("cancel", f"cancel:{view.job}"),), view.language),
        }
        shown_at = self._pictured.get(view.external_id)
        if view.preview and (shown_at is None or time.monotonic() - shown_at >= PREVIEW_EVERY):
            media = {"type": "photo", "media": "attach://preview", "caption": view.words}
            mime = "image/png" if view.preview.startswith(b"\x89PNG") else "image/jpeg"
            upload = Upload("preview", view.preview, mime)
            await self._api.upload("editMessageMedia", {**shared, "media": media}, [upload], CALL_WITHIN)
            self._remember(view.external_id, time.monotonic())
        elif shown_at is not None:
            await self._api.call("editMessageCaption", {**shared, "caption": view.words}, CALL_WITHIN)
        else:
            words = {"text": view.words, "link_preview_options": NO_PREVIEWS}
            await self._api.call("editMessageText", {**shared, **words}, CALL_WITHIN)
        return True

    def _refused(self, address: Address, view: JobView, error: ApiError) -> bool:
        if error.says(UNCHANGED):
            return True
        if error.code == 429:
            self._pace.refused(address.chat_id, error.retry_after)
            return False
        if error.says(*NO_TEXT):  # another process has shown a preview in it
            self._remember(view.external_id, 0.0)
            return False
        logger.info("progress was refused: %s", error)
        return True

    def _remember(self, message_id: str, moment: float) -> None:
        self._pictured[message_id] = moment
        while len(self._pictured) > MOST_REMEMBERED:
            del self._pictured[next(iter(self._pictured))]
