"""How long a vendor asks to wait, in the several ways that vendors say it."""

import re
import time
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

_LONGEST = 366 * 86400.0
_SAID = re.compile(
    r"(?:try again|retry) (?:in|after) ((?:\d+(?:\.\d+)?\s*(?:ms|h|m|s)[a-z]*\s*)+)", re.IGNORECASE
)
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|h|m|s)", re.IGNORECASE)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_RESETS = ("x-ratelimit-reset", "x-ratelimit-reset-requests", "x-ratelimit-reset-tokens")


def retry_after(
    headers: Mapping[str, str], body: Any, message: str, now: float | None = None
) -> float | None:
    """Seconds to wait as the vendor said them, None when it did not. Header names are in lower case."""
    moment = time.time() if now is None else now
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return _sane(milliseconds / 1000)
    plain = headers.get("retry-after", "")
    for seconds in (_moment(plain, moment), _info(body, moment), _reset(headers, moment), _said(message)):
        if seconds is not None:
            return _sane(seconds)
    return None


def _sane(seconds: float) -> float:
    return min(max(seconds, 0.0), _LONGEST)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number == number and abs(number) != float("inf") else None


def _moment(text: str, now: float) -> float | None:
    """Seconds, an epoch in seconds or milliseconds, a duration like 1m2.5s, or a date."""
    if not text:
        return None
    number = _number(text)
    if number is not None:
        if number > 1e11:
            return number / 1000 - now
        return number - now if number > 1e9 else number
    if _PART.match(text):
        return _duration(text)
    return _date(text, now)


def _date(text: str, now: float) -> float | None:
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            return parse(text).timestamp() - now
        except (ValueError, OverflowError):
            continue
    return None


def _duration(text: str) -> float | None:
    parts = _PART.findall(text)
    return sum(float(number) * _UNITS[unit.lower()] for number, unit in parts) if parts else None


def _said(message: str) -> float | None:
    found = _SAID.search(message)
    return _duration(found.group(1)) if found else None


def _reset(headers: Mapping[str, str], now: float) -> float | None:
    """The latest reset among the limits that are used up (or that do not say what is left)."""
    waits = []
    for name in _RESETS:
        left = headers.get(name.replace("reset", "remaining"), "0")
        wait = _moment(headers.get(name, ""), now)
        if wait is not None and _number(left) == 0:
            waits.append(wait)
    return max(waits, default=None)


def _info(body: Any, now: float, depth: int = 0) -> float | None:
    """google.rpc.RetryInfo, or reset headers that an aggregator quotes, anywhere in an error body."""
    if depth > 6:
        return None
    if isinstance(body, list):
        found = (_info(item, now, depth + 1) for item in body[:20])
        return next((seconds for seconds in found if seconds is not None), None)
    if not isinstance(body, dict):
        return None
    delay = body.get("retryDelay", body.get("retry_after"))
    if isinstance(delay, str | int | float) and not isinstance(delay, bool):
        return _moment(str(delay), now)
    quoted = body.get("headers")
    if isinstance(quoted, dict):
        lower = {str(name).lower(): str(value) for name, value in quoted.items()}
        seconds = retry_after(lower, None, "", now)
        if seconds is not None:
            return seconds
    return _info(list(body.values()), now, depth + 1)
