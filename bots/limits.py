"""Pacing ahead of the Bot API's documented limits, and of every refusal.

Documented: one message a second in a chat (short bursts allowed), twenty a minute in a group (edits
count), thirty a second for a bot. Real limits adapt and are not published, so a refused bot stops bursting.
"""

import asyncio
import time

BOT = (30, 1.05)  # (messages, seconds)
CHAT = (3, 3.15)
CHAT_STRICT = (1, 1.05)
GROUP = (20, 60.5)
KEPT_IN_GROUP = 5  # of twenty, for final messages
KEPT_FOR_BOT = 10  # of thirty
MOST_CHATS = 2000  # remembered; idle ones are forgotten beyond
WHOLE_BOT_PAUSE = 5.0


class Window:
    """At most so many calls in any so many seconds.

    A place is free again so long after its call was *answered*: when it reached the server is known no
    better, and this holds however slow the network is.
    """

    def __init__(self, count: int, seconds: float) -> None:
        self._places = asyncio.Semaphore(count)
        self._seconds = seconds
        self._count = count
        self.free = count

    @property
    def idle(self) -> bool:
        """Whether nothing is left to remember."""
        return self.free == self._count

    async def take(self) -> None:
        """Wait for a place, first come first served."""
        await self._places.acquire()
        self.free -= 1

    def answered(self) -> None:
        """The call of a place is over."""
        asyncio.get_running_loop().call_later(self._seconds, self.give_back)

    def give_back(self) -> None:
        """A place is free again."""
        self.free += 1
        self._places.release()


class Slot:
    """Leave for one call; `done` must follow it."""

    def __init__(self, *windows: Window) -> None:
        self._windows = windows

    def done(self) -> None:
        """The call was answered, or given up."""
        for window in self._windows:
            window.answered()


class Pace:
    """Who may send when, for one bot."""

    def __init__(self) -> None:
        self._bot = Window(*BOT)
        self._chats: dict[int, Window] = {}
        self._burst = CHAT
        self._paused: dict[int, float] = {}
        self._all_paused = 0.0
        self._last_refusal = (0, 0.0)

    async def turn(self, chat_id: int) -> Slot:
        """Wait until a message or an edit may go to the chat."""
        chat = self._window(chat_id)
        await chat.take()
        try:
            while True:
                pause = self._pause(chat_id)
                if pause > 0:
                    await asyncio.sleep(pause)
                await self._bot.take()
                if self._pause(chat_id) <= 0:
                    return Slot(chat, self._bot)
                self._bot.give_back()
        except asyncio.CancelledError:
            chat.give_back()
            raise

    async def preview(self, chat_id: int, *, counted: bool) -> Slot | None:
        """Leave for a preview now, or None. `counted`: it is a message or an edit, not a draft."""
        if self._pause(chat_id) > 0 or self._bot.free <= KEPT_FOR_BOT:
            return None
        if not counted:
            return Slot()
        chat = self._window(chat_id)
        kept = KEPT_IN_GROUP if chat_id < 0 else 1
        if chat.free <= kept:
            return None
        await chat.take()  # both have places: neither waits
        await self._bot.take()
        return Slot(chat, self._bot)

    def refused(self, chat_id: int, after: float) -> None:
        """The server said 429: leave the chat alone, and everyone when two chats hear it in a second."""
        now = time.monotonic()
        self._paused[chat_id] = max(self._paused.get(chat_id, 0.0), now + after)
        other, when = self._last_refusal
        if other not in (0, chat_id) and now - when < 1:
            self._all_paused = max(self._all_paused, now + min(after, WHOLE_BOT_PAUSE))
        self._last_refusal = (chat_id, now)
        if self._burst != CHAT_STRICT:
            self._burst = CHAT_STRICT
            self._chats = {chat: window for chat, window in self._chats.items() if chat < 0}

    def _pause(self, chat_id: int) -> float:
        return max(self._paused.get(chat_id, 0.0), self._all_paused) - time.monotonic()

    def _window(self, chat_id: int) -> Window:
        window = self._chats.get(chat_id)
        if window is None:
            if len(self._chats) >= MOST_CHATS:
                self._forget()
            window = self._chats[chat_id] = Window(*(GROUP if chat_id < 0 else self._burst))
        return window

    def _forget(self) -> None:
        now = time.monotonic()
        self._chats = {chat: window for chat, window in self._chats.items() if not window.idle}
        self._paused = {chat: until for chat, until in self._paused.items() if until > now}
