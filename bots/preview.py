"""Showing an answer while it is being written: coalesced, one call in flight, never in the final's way."""

import asyncio
import logging
import time

from bots.address import Address
from bots.api import ApiError, Unreachable
from bots.surfaces import DraftSurface, EditSurface, Stage, Surface
from core.channel import PreviewTarget
from core.messages import InboundMessage

LIVES_FOR = 150.0  # seconds: longer than any turn
CLOSE_WITHIN = 10.0  # seconds for a call in flight, so that it cannot arrive after the final message
UNREACHABLE_PAUSE = 2.0
logger = logging.getLogger(__name__)


class LivePreview:
    """One answer's preview. Nothing is sent for an answer that is finished before the first call is due."""

    def __init__(self, stage: Stage, message: InboundMessage, target: PreviewTarget) -> None:
        self._stage = stage
        self._message = message
        self._target = target
        self._address = Address.parse(message.chat_key)
        self._surface: Surface = self._edits()
        if not self._address.group and not stage.drafts.refused and target.existing is None:
            self._surface = DraftSurface(stage, self._address, target)
        self._begun = time.monotonic()
        self._parts: list[str] = []
        self._changed = asyncio.Event()
        self._closing = asyncio.Event()
        self._calling = False
        self._task: asyncio.Task[None] | None = None
        loop = asyncio.get_running_loop()
        self._starter = loop.call_later(self._surface.first, self._start)

    def feed(self, text: str) -> None:
        """More visible text."""
        self._parts.append(text)
        self._changed.set()

    def restart(self) -> None:
        """Forget the text so far."""
        self._parts.clear()
        self._changed.set()

    async def close(self) -> str | None:
        """Stop; waits for a call in flight. The id of the message to finish."""
        self.abandon()
        if self._task:
            await asyncio.wait({self._task}, timeout=CLOSE_WITHIN)
            self._task.cancel()
        return self._surface.message_id

    def abandon(self) -> None:
        """Stop without waiting."""
        self._starter.cancel()
        self._closing.set()
        if self._task and not self._calling:
            self._task.cancel()

    def _start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(LIVES_FOR):
                while not self._closing.is_set():
                    pause = await self._step()
                    await asyncio.sleep(pause)
        except TimeoutError:
            logger.warning("a preview was left open for %.0f s", LIVES_FOR)

    async def _step(self) -> float:
        """Show what there is as soon as it is due; the seconds until the next look."""
        text = await self._next_text()
        self._changed.clear()
        self._calling = True
        try:
            shown = await self._surface.show(text)
        except ApiError as error:
            return self._refused(error)
        except Unreachable as error:
            return self._unreachable(error)
        finally:
            self._calling = False
        if not shown:
            self._changed.set()
        return self._surface.every

    async def _next_text(self) -> str:
        """Wait for a new text, or until the old one has to be shown again."""
        while True:
            text = "".join(self._parts).strip()
            if text and self._changed.is_set():
                return text
            patience = self._surface.refresh
            if not text:
                patience = max(self._begun + self._surface.thinking - time.monotonic(), 0.0)
                if not patience:
                    self._begun = time.monotonic() + self._surface.refresh
                    return ""
            self._changed.clear()
            try:
                async with asyncio.timeout(min(patience, LIVES_FOR)):
                    await self._changed.wait()
            except TimeoutError:
                if text:
                    return text

    def _refused(self, error: ApiError) -> float:
        if error.code == 429:
            self._stage.pace.refused(self._address.chat_id, error.retry_after)
            self._changed.set()
            return error.retry_after
        drafts = self._stage.drafts
        if isinstance(self._surface, DraftSurface) and error.code in (400, 404) and not drafts.worked:
            logger.warning("the server takes no drafts (%s): messages are edited instead", error)
            drafts.refused = True
            self._surface = self._edits()
            self._changed.set()
            return self._surface.first
        logger.info("a preview was refused: %s", error)
        self._closing.set()
        return 0.0

    def _unreachable(self, error: Unreachable) -> float:
        logger.info("a preview was not sent: %s", error)
        if error.written and isinstance(self._surface, EditSurface) and self._surface.message_id is None:
            self._closing.set()  # it may be on the screen, but nobody knows its id: do not send another
        self._changed.set()
        return UNREACHABLE_PAUSE

    def _edits(self) -> EditSurface:
        return EditSurface(self._stage, self._message, self._target)
