"""Moments to come, as people say them in a chat."""

import math
from datetime import UTC, datetime

from core.texts import text

MINUTE, HOUR = 60, 3600
SOON = 12 * HOUR


def when(moment: float | None, now: float, language: str) -> str:
    """A moment (UTC epoch seconds) in words: "in 40 min", "on 01.12. at 00:00 UTC"; None is "later"."""
    if moment is None:
        return text("when_later", language)
    left = moment - now
    if left <= MINUTE:
        return text("when_seconds", language)
    if left <= 2 * HOUR:
        return text("when_minutes", language, count=math.ceil(left / MINUTE))
    if left <= SOON:
        return text("when_hours", language, count=math.ceil(left / HOUR))
    day = datetime.fromtimestamp(moment, UTC)
    return text("when_day", language, date=f"{day:%d.%m.}", time=f"{day:%H:%M}")
