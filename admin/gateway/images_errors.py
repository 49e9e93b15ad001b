"""What went wrong with a picture or a video, for programs: before a job is taken, and when it has ended."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from admin.gateway.errors import LONGEST_NAME, ApiError
from core.jobs.answering import BAD, why_text
from core.jobs.submit import LONGEST_PROMPT, NotOrdered
from providers.media.cards import BadMediaRequest

CODES = {"unknown": "unsupported_parameter", "empty": "missing_required_parameter",
         "input": "missing_required_parameter", "long": "string_above_max_length",
         "task": "unsupported"}  # fmt: skip
FAILED: dict[str, tuple[int, str, str]] = {
    "moderated": (400, "content_filter", "The content was refused by the model that was asked."),
    "unavailable": (503, "all_models_failed", "No model could make it just now."),
    "no_route": (503, "all_models_failed", "No model of this route can be asked: see it in the panel."),
    "lost": (502, "answer_lost", "The connection broke while it was being made; it was not asked for twice."),
    "quarantined": (
        502,
        "quarantined",
        "This request stopped the program that draws twice and was set aside.",
    ),
    "expired": (503, "expired", "It waited too long in the queue."),
    "full": (503, "storage_full", "It was made, but there is no room left to store it."),
    "store": (503, "storage_unavailable", "It was made, but it could not be stored."),
    "cancelled": (409, "cancelled", "The job was cancelled."),
}
ONCE = {"x-should-retry": "false"}  # the job itself has tried everybody; official clients would pay again


def bad_media(error: BadMediaRequest) -> ApiError:
    """A request that no model of a route takes."""
    return _refused(str(error), {})


def job_failed(row: Any) -> ApiError:
    """Why an ended job made nothing."""
    if row.reason == "request":
        return _refused(row.error, ONCE)
    status, code, text = FAILED.get(row.reason, FAILED["unavailable"])
    kind = "invalid_request_error" if status == 400 else "server_error"
    return ApiError(status, text, kind, "prompt" if row.reason == "moderated" else None, code, dict(ONCE))


def not_ordered(error: NotOrdered) -> ApiError:
    """An order that is not taken, whoever would make it."""
    if error.reason == "long":
        return too_long("prompt")
    status, code, text = FAILED[error.reason]
    if error.reason == "moderated":
        text = "The content is refused here, whoever would make it."
    return ApiError(status, text, "invalid_request_error", "prompt", code, dict(ONCE))


def _refused(text: str, headers: dict[str, str]) -> ApiError:
    found = BAD.match(text)
    if found is None:
        return ApiError(400, why_text(text, "en").capitalize() + ".", code="invalid_value", headers=headers)
    field, reason, allowed = found.groups()
    words = why_text(text, "en")
    if allowed and reason in ("task", "unknown"):
        words = f"{words}; there is {allowed}"
    message = f"'{field}': {words}."
    return ApiError(400, message, param=field, code=CODES.get(reason, "invalid_value"), headers=dict(headers))


def too_long(field: str) -> ApiError:
    """A prompt beyond every model's."""
    text = f"'{field}': at most {LONGEST_PROMPT} characters."
    return ApiError(400, text, param=field, code="string_above_max_length")


def no_media_model(name: str, known: Iterable[str]) -> ApiError:
    """A name that is no route and no model of pictures or videos, or not this key's."""
    near = get_close_matches(name[:LONGEST_NAME], list(known), n=3, cutoff=0.5)
    hint = f" Did you mean {', '.join(near)}?" if near else " GET /api/v1/media/models lists what there is."
    text = f"The model '{name[:LONGEST_NAME]}' does not exist, or this key may not use it.{hint}"
    return ApiError(404, text, param="model", code="model_not_found")


def no_job(job_id: str) -> ApiError:
    """A job that is not there, or is somebody else's."""
    return ApiError(404, f"There is no job '{job_id[:64]}'.", param="id", code="not_found")
