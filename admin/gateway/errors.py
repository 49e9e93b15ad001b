"""Errors of the OpenAI-compatible API, in OpenAI's shape."""

import difflib
import json
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.routing.attempts import AllCandidatesFailed, Attempt, Skipped
from providers.errors import ErrorClass

INVALID = "invalid_request_error"
LONGEST_NAME = 200
SOON, LATE = 1, 3600  # seconds: the shortest and the longest Retry-After
WORTH_RETRYING = 60  # seconds; the official clients would sit through a longer wait twice
NOT_TAKEN = {
    "images": ("images", "messages"),
    "tools": ("tools", "tools"),
    "json": ("a response_format of JSON", "response_format"),
}


@dataclass
class ApiError(Exception):
    """An answer that is an error; its message is for people who write programs and holds no secret."""

    status: int
    message: str
    kind: str = INVALID
    param: str | None = None
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """As OpenAI words it."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}

    def encoded(self) -> bytes:
        """The body as bytes."""
        return json.dumps(self.body(), ensure_ascii=False).encode("utf-8", "replace")


def wrong(param: str, message: str, code: str = "invalid_value") -> ApiError:
    """A field that makes no sense."""
    return ApiError(400, f"'{param}': {message}", param=param, code=code)


def no_key(message: str) -> ApiError:
    """A caller without a valid key."""
    return ApiError(401, message, code="invalid_api_key", headers={"www-authenticate": "Bearer"})


def no_model(name: str, known: Iterable[str]) -> ApiError:
    """A model that does not exist or is not this key's."""
    near = difflib.get_close_matches(name[:LONGEST_NAME], list(known), n=3, cutoff=0.5)
    hint = f" Did you mean {', '.join(near)}?" if near else " GET /v1/models lists what there is."
    shown = name[:LONGEST_NAME]
    text = f"The model '{shown}' does not exist, or this key may not use it.{hint}"
    return ApiError(404, text, param="model", code="model_not_found")


def limited(resets_at: float | None) -> ApiError:
    """A limit of the key, or of all, is reached."""
    headers = _after(resets_at)
    when = f" It begins anew in {headers['retry-after']} seconds." if resets_at else ""
    return ApiError(429, f"A limit is reached.{when}", "rate_limit_error", None, "limit_reached", headers)


def broken() -> ApiError:
    """The answer broke off after a part of it was sent."""
    text = "The answer broke off, and no other model could go on with it. What came so far is incomplete."
    return ApiError(502, text, "server_error", None, "answer_broken")


def all_failed(error: AllCandidatesFailed) -> ApiError:
    """Why nobody answered."""
    if error.over_limit:
        return limited(error.retry_at)
    if error.too_long:
        return _too_long(*error.too_long)
    if error.moderated:
        text = "The content was refused by every model that was asked."
        return ApiError(400, text, param="messages", code="content_filter")
    outcomes = {attempt.outcome for attempt in error.attempts}
    if outcomes == {str(ErrorClass.CONTEXT)}:
        return _too_long(0, 0)
    if outcomes == {str(ErrorClass.CALLER)}:
        text = "Every model refused this request as invalid. Its x-request-id leads to the reasons in Usage."
        return ApiError(400, text, code="refused_by_models")
    if not error.attempts and (unfit := _unfit(error.skipped)):
        return unfit
    text = "No model could answer just now."
    if not error.attempts and error.retry_at is None:
        text = "No model of this route can be asked: see its candidates and their keys in the panel."
    return ApiError(503, text, "server_error", None, "all_models_failed", _after(error.retry_at))


def route_header(name: str, attempts: Sequence[Attempt], skipped: Sequence[Skipped]) -> tuple[bytes, bytes]:
    """`x-botyard-route`: which route, who answered, after how many attempts."""
    last = attempts[-1] if attempts else None
    who = f"{last.provider_id}:{last.model}" if last else "nobody"
    value = f"{name}; {who}; attempts={len(attempts)}; skipped={len(skipped)}"
    plain = "".join(one if 32 <= ord(one) < 127 else "?" for one in value)
    return b"x-botyard-route", plain.encode("ascii")


def _too_long(size: int, largest: int) -> ApiError:
    text = "The request is too long for every model of this route."
    if largest:
        text = (
            f"This request has about {size} tokens, and the largest context among its models is {largest}: "
            f"it is {max(size - largest, 1)} too long."
        )
    return ApiError(400, text, param="messages", code="context_length_exceeded")


def _unfit(skipped: Sequence[Skipped]) -> ApiError | None:
    """When every candidate was skipped because of what the request asks for."""
    reasons = {one.reason for one in skipped}
    if not reasons or not reasons <= NOT_TAKEN.keys():
        return None
    what, param = NOT_TAKEN[sorted(reasons)[0]]
    return ApiError(400, f"No model of this route takes {what}.", param=param, code="unsupported")


def _after(moment: float | None) -> dict[str, str]:
    wait = SOON if moment is None else min(max(math.ceil(moment - time.time()), SOON), LATE)
    headers = {"retry-after": str(wait)}
    return headers if wait <= WORTH_RETRYING else {**headers, "x-should-retry": "false"}
