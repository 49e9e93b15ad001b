"""What a vendor's error means: from its body first, from the HTTP status second."""

import json
import re
from collections.abc import Mapping
from typing import Any

from providers.errors import ErrorClass, ProviderError
from providers.retry_after import retry_after
from providers.surrogates import mend
from providers.vocabulary import BY_CODE, BY_PHRASE, BY_STATUS, LASTING, VAGUE

LONGEST_MESSAGE = 500
_KEYLIKE = re.compile(
    r"\b(?:sk|gsk|xai|csk|pk)[-_][A-Za-z0-9_*-]{4,}|\bAIza[\w-]{10,}|\bbearer\s+[^\s\"']+", re.IGNORECASE
)
_URL_KEY = re.compile(r"(?i)([?&](?:key|api[-_]?key|token)=)[^&\s\"']+")


def to_error(
    status: int | None, body: str | object, headers: Mapping[str, str] | None = None, *, key: str = ""
) -> ProviderError:
    """The ProviderError for an error response or an in-band error event (then `status` is None)."""
    parsed = _parse(body)
    message = _message_of(parsed) or (body if isinstance(body, str) else json.dumps(body, default=str))
    lower = {name.lower(): value for name, value in (headers or {}).items()}
    wait = retry_after(lower, parsed, message)
    return ProviderError(
        _class_of(status, parsed, message, wait), redact(message, key), status=status, retry_after=wait
    )


def to_stream_error(body: object, key: str) -> ProviderError:
    """The ProviderError for an error inside a stream; one that says nothing of its kind is a cut stream."""
    error = to_error(None, body, key=key)
    if error.error_class in (ErrorClass.CALLER, ErrorClass.TRANSIENT):
        return ProviderError(ErrorClass.TRUNCATED, error.message, retry_after=error.retry_after)
    return error


def redact(text: str, key: str = "") -> str:
    """Text for logs and rows: without keys, on one line, not longer than a few sentences."""
    if key:
        text = text.replace(key, "***")
    text = mend(text)
    text = _URL_KEY.sub(r"\1***", _KEYLIKE.sub("***", text[: 8 * LONGEST_MESSAGE]))
    return " ".join(text.split())[:LONGEST_MESSAGE]


def _class_of(status: int | None, body: object, message: str, wait: float | None) -> ErrorClass:
    if status is not None and 300 <= status < 400:
        return ErrorClass.CONNECT  # the address is wrong; a key is never sent after a redirect
    searched = message[:4000]
    by_words = next((known for known, words in BY_PHRASE if words.search(searched)), None)
    if by_words is ErrorClass.QUOTA and wait is not None and wait <= 120:
        by_words = ErrorClass.RATE_LIMIT  # "quota" per minute: it passes
    for code in _codes_of(body):
        by_code = BY_CODE.get(code)
        if by_code is not None:
            better = by_words in LASTING or by_code is ErrorClass.TRANSIENT
            return by_words if by_words is not None and code in VAGUE and better else by_code
    if by_words is not None:
        return by_words
    if status is None:
        inner = _status_in(body)
        return BY_STATUS.get(inner, ErrorClass.TRANSIENT) if inner else ErrorClass.TRANSIENT
    return BY_STATUS.get(status, ErrorClass.CALLER if 400 <= status < 500 else ErrorClass.TRANSIENT)


def _parse(body: object) -> object:
    if not isinstance(body, str):
        return body
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _error_of(body: object) -> object:
    """The part of a body that describes the error."""
    if isinstance(body, list) and body:
        return _error_of(body[0])
    if isinstance(body, dict):
        for name in ("error", "detail", "errors"):
            if body.get(name):
                return _error_of(body[name]) if name != "error" else body[name]
    return body


def _message_of(body: object) -> str:
    error = _error_of(body)
    if isinstance(error, str):
        return error
    if not isinstance(error, dict):
        return ""
    parts = [error.get("message"), error.get("msg")]
    metadata = error.get("metadata")
    if isinstance(metadata, dict):  # an aggregator quotes the vendor behind it
        parts += [metadata.get("raw"), metadata.get("reasons")]
    return " ".join(part if isinstance(part, str) else json.dumps(part) for part in parts if part)


def _codes_of(body: object) -> list[str]:
    error = _error_of(body)
    if not isinstance(error, dict):
        return []
    words: list[Any] = [error.get("code"), error.get("type"), error.get("status")]
    details = error.get("details")
    if isinstance(details, list):
        words += [detail.get("reason") for detail in details if isinstance(detail, dict)]
        words.sort(key=lambda word: str(word).lower() not in ("api_key_invalid",))
    inner = error.get("innererror")
    if isinstance(inner, dict):
        words.insert(0, inner.get("code"))
    return [word.lower() for word in words if isinstance(word, str)]


def _status_in(body: object) -> int | None:
    error = _error_of(body)
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, str) and re.fullmatch("[0-9]{3}", code):
        return int(code)
    return code if isinstance(code, int) else None
