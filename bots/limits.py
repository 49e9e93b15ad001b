"""Pacing ahead of the Bot API's documented limits, and of every refusal.

Documented: one message a second in a chat (short bursts allowed), twenty a minute in a group (edits
count), thirty a second for a bot. Real limits adapt and are not published, so a refused bot stops bursting.
"""

import asyncio
import time
from collections import deque

BOT = (30, 1.05)  # (messages, seconds); a little longer than documented, for the clocks and the network
CHAT = (3, 3.15)
CHAT_STRICT = (1, 1.05)
GROUP = (20, 60.5)
GROUP_PREVIEWS = 15  # of twenty; the rest is for final messages
BOT_PREVIEWS = 20  # of thirty
MOST_CHATS = 2000  # remembered; idle ones are forgotten beyond


class Window:
    """At most so many events in any so many seconds. `reserve` hands out moments in order, now or later,
    so that everyone who waits sleeps once."""

    def __init__(self, count: int, seconds: float) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque(maxlen=count)

    def reserve(self, now: float) -> float:
        """When the next event may happen; it is counted."""
        full = len(self._times) == self._times.maxlen
        at = max(now, self._times[0] + self._seconds) if full else now
        self._times.append(at)
        return at

    def used(self, now: float) -> int:
        """How many events the window ending now has, with those to come."""
        return sum(at > now - self._seconds for at in self._times)


class Pace:
    """Who may send when, for one bot."""

    def __init__(self) -> None:
        self._bot = Window(*BOT)
        self._chats: dict[int, Window] = {}
        self._burst = CHAT
        self._paused: dict[int, float] = {}
        self._all_paused = 0.0
        self._last_refusal = (0, 0.0)

    async def turn(self, chat_id: int) -> None:
        """Wait until a message or an edit may go to the chat."""
        now = time.monotonic()
        at = max(self._window(chat_id).reserve(now), self._paused_until(chat_id))
        if at > now:
            await asyncio.sleep(at - now)
            now = time.monotonic()
        at = self._bot.reserve(now)
        if at > now:
            await asyncio.sleep(at - now)

    def preview(self, chat_id: int, *, counted: bool) -> bool:
        """Whether a preview may go out now. `counted`: it is a message or an edit, not a draft."""
        now = time.monotonic()
        if self._paused_until(chat_id) > now or self._bot.used(now) >= BOT_PREVIEWS:
            return False
        if not counted:
            return True
        window = self._window(chat_id)
        room = GROUP_PREVIEWS if chat_id < 0 else 1
        if window.used(now) >= room:
            return False
        window.reserve(now)
        self._bot.reserve(now)
        return True

    def refused(self, chat_id: int, after: float) -> None:
        """The server said 429: leave the chat alone, and everyone when two chats hear it in a second."""
        now = time.monotonic()
        self._paused[chat_id] = max(self._paused_until(chat_id), now + after)
        other, when = self._last_refusal
        if other not in (0, chat_id) and now - when < 1:
            self._all_paused = max(self._all_paused, now + min(after, 5.0))
        self._last_refusal = (chat_id, now)
        if self._burst != CHAT_STRICT:
            self._burst = CHAT_STRICT
            self._chats = {chat: window for chat, window in self._chats.items() if chat < 0}

    def _paused_until(self, chat_id: int) -> float:
        return max(self._paused.get(chat_id, 0.0), self._all_paused)

    def _window(self, chat_id: int) -> Window:
        window = self._chats.get(chat_id)
        if window is None:
            if len(self._chats) >= MOST_CHATS:
                self._forget()
            window = self._chats[chat_id] = Window(*(GROUP if chat_id < 0 else self._burst))
        return window

    def _forget(self) -> None:
        now = time.monotonic()
        self._chats = {chat: window for chat, window in self._chats.items() if window.used(now)}
        self._paused = {chat: until for chat, until in self._paused.items() if until > now}
