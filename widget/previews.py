"""An answer that is being written, as events: its text in pieces, at most 25 a second."""

import asyncio
import time

from widget.visitors import Chat

PIECE_EVERY = 0.04  # seconds


class RingPreview:
    """Implements core.channel.Preview over a chat's ring."""

    def __init__(self, chat: Chat, message_id: str) -> None:
        self._chat = chat
        self._id = message_id
        self._text = ""
        self._waiting = ""
        self._flushed = 0.0
        self._timer: asyncio.TimerHandle | None = None
        chat.live = (message_id, "")
        chat.ring.publish("start", msg=message_id)

    def feed(self, text: str) -> None:
        """More visible text."""
        self._waiting += text
        if self._timer is not None:
            return
        wait = self._flushed + PIECE_EVERY - time.monotonic()
        if wait <= 0:
            self._flush()
        else:
            self._timer = asyncio.get_running_loop().call_later(wait, self._flush)

    def restart(self) -> None:
        """Forget the text so far."""
        self._cancel()
        self._text = self._waiting = ""
        self._chat.live = (self._id, "")
        self._chat.ring.publish("restart", msg=self._id, text="")

    async def close(self) -> str | None:
        """Stop showing; the final message has the same id, so it takes this one's place by itself."""
        self._flush()
        return None

    def _flush(self) -> None:
        self._cancel()
        if not self._waiting:
            return
        self._text += self._waiting
        self._chat.live = (self._id, self._text)
        self._chat.ring.publish("delta", msg=self._id, t=self._waiting)
        self._waiting = ""
        self._flushed = time.monotonic()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
