"""Taking in updates: a getUpdates loop over raw JSON that confirms only what is committed."""

import asyncio
import json
import logging
from typing import Any

from bots.api import ApiError, BotApi, Unreachable
from bots.intake import WANTED, Intake, chat_key
from bots.pictures import in_album, with_albums
from core.channel import BadCredential, Host, Unparseable
from core.messages import InboundMessage, Incoming

POLL_FOR = 50  # seconds; the server's longest
ANSWER_WITHIN = 15.0  # seconds more for the answer to arrive
LONGEST_PAUSE = 60.0
CONFIRM_WITHIN = 2.0
ALBUM_PAUSE = 0.7  # seconds for the rest of an album; its pictures are updates of their own
CONFLICT = "another poller holds the token"
logger = logging.getLogger(__name__)


class Poller:
    """One bot's getUpdates loop. Stop buttons and /stop pass the queue by."""

    def __init__(self, api: BotApi, host: Host, intake: Intake) -> None:
        self._api = api
        self._host = host
        self._intake = intake
        self._offset = 0
        self._confirmed = 0
        self._pause = 0.0
        self._trouble = ""
        self._answering: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Poll until cancelled. Raises BadCredential when the token stops working."""
        while True:
            try:
                updates = await self._poll()
                if updates and in_album(updates[-1]):  # not confirmed yet: the same come again, and more
                    await asyncio.sleep(ALBUM_PAUSE)
                    updates = await self._poll()
            except ApiError as error:
                await self._refused(error)
            except Unreachable as error:
                await self._rest(f"the Bot API cannot be reached ({error})")
            else:
                self._well()
                if updates:
                    await self._take(updates)
                self._host.heard()

    async def confirm(self) -> None:
        """Tell the server what was taken in since the last poll, best effort."""
        if self._offset == self._confirmed:
            return
        params = {"offset": self._offset, "limit": 1, "timeout": 0}
        try:
            await self._api.call("getUpdates", params, CONFIRM_WITHIN)
        except (ApiError, Unreachable) as error:  # a repeated update is known by its id
            logger.info("the last updates were not confirmed: %s", error)

    async def _poll(self) -> list[Any]:
        params: dict[str, Any] = {"timeout": POLL_FOR, "allowed_updates": WANTED}
        offset = self._offset
        if offset:
            params["offset"] = offset
        updates = await self._api.call("getUpdates", params, POLL_FOR + ANSWER_WITHIN)
        self._confirmed = offset
        return updates if isinstance(updates, list) else []

    async def _take(self, updates: list[Any]) -> None:
        waiting: list[Incoming] = []
        last = self._offset - 1
        for update in with_albums(updates):
            number = update.get("update_id") if isinstance(update, dict) else None
            if not isinstance(number, int):
                logger.warning("an update without a number was left out")
                continue
            last = max(last, number)
            message = self._read(update)
            if message and message.command == "stop":
                await self._accept(waiting)
                waiting = []
                if await self._stop(update, message):
                    continue
            if message is not None:
                key = message.chat_key if isinstance(message, InboundMessage) else chat_key(update)
                waiting.append(Incoming(str(number), key, json.dumps(update)))
                self._answer(update)
        await self._accept(waiting)
        self._offset = last + 1

    def _read(self, update: dict[str, Any]) -> InboundMessage | None:
        """What an update says; an unreadable one is an empty message here and set aside from the inbox."""
        try:
            return self._intake.read(update)
        except Unparseable:
            return InboundMessage(chat_key=chat_key(update), text="")

    async def _accept(self, waiting: list[Incoming]) -> None:
        if waiting:
            await self._host.accept(waiting)

    async def _stop(self, update: dict[str, Any], message: InboundMessage) -> bool:
        """Stop the chat's answer; False for a typed command with nothing to stop, which gets an answer."""
        await asyncio.sleep(0)  # what was accepted just now becomes a turn first
        stopped = self._host.stop(message.chat_key)
        self._answer(update)
        return stopped or "message" not in update

    def _answer(self, update: dict[str, Any]) -> None:
        query = update.get("callback_query")
        if isinstance(query, dict) and isinstance(query.get("id"), str):
            task = asyncio.create_task(self._answer_query(query["id"]))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def _answer_query(self, query_id: str) -> None:
        try:
            await self._api.call("answerCallbackQuery", {"callback_query_id": query_id})
        except (ApiError, Unreachable) as error:  # the button only stops glowing later
            logger.info("a button press was not acknowledged: %s", error)

    async def _refused(self, error: ApiError) -> None:
        match error.code:
            case 401 | 404:
                raise BadCredential(f"the token was refused: {error.description}")
            case 429:
                await self._rest(f"Too Many Requests: waiting {error.retry_after:.0f} s", error.retry_after)
            case 409 if error.says("webhook"):
                await self._drop_webhook()
            case 409:
                await self._rest(CONFLICT, max(self._pause, 2.5))
            case _:
                await self._rest(f"the Bot API answered {error}")

    async def _drop_webhook(self) -> None:
        logger.warning("a webhook was set for this token: it is removed, updates are polled")
        try:
            await self._api.call("deleteWebhook", {"drop_pending_updates": False})
        except (ApiError, Unreachable) as error:
            await self._rest(f"a webhook could not be removed: {error}")

    async def _rest(self, trouble: str, at_least: float = 0.0) -> None:
        """Wait, longer each time, and say why."""
        self._host.heard()
        if trouble != self._trouble:
            self._trouble = trouble
            logger.warning("%s", trouble)
            self._host.degraded(trouble)
        self._pause = min(max(self._pause * 2, 0.5), LONGEST_PAUSE)
        await asyncio.sleep(max(self._pause, at_least))

    def _well(self) -> None:
        self._pause = 0.0
        if self._trouble:
            self._trouble = ""
            self._host.degraded("")
