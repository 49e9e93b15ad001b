"""Faults of model vendors, in the words that the vendors use.

`FAULTS[name]` is a Fault: an HTTP answer (status, headers, body), or a `misbehaviour` of the connection or
stream that tests/fakes/llm.py acts out. `expected` is the class that Botyard should see in it.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Fault:
    """One way to fail; `after` chunks of text are sent before a misbehaviour of the stream."""

    expected: str
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    misbehaviour: str = ""
    after: int = 0


def rate_limit(seconds: float = 30) -> Fault:
    """A 429 that names how long to wait."""
    body = _openai("Rate limit reached for requests", "requests", "rate_limit_exceeded")
    return Fault("rate_limit", 429, body, {"Retry-After": f"{seconds:g}"})


def _openai(message: str, kind: str, code: str | None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _google(code: int, status: str, message: str, details: list[Any]) -> list[Any]:
    return [{"error": {"code": code, "message": message, "status": status, "details": details}}]


_QUOTA = "You exceeded your current quota, please check your plan and billing details."
_RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"}
_KEY_REASON = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
_CONTEXT = (
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9001 tokens. "
    "Please reduce the length of the messages."
)

FAULTS: dict[str, Fault] = {
    "rate_limit": rate_limit(),
    "rate_limit_ms": Fault(
        "rate_limit", 429, _openai("Slow down", "requests", "rate_limit_exceeded"), {"retry-after-ms": "1500"}
    ),
    "rate_limit_info": Fault("rate_limit", 429, _google(429, "RESOURCE_EXHAUSTED", _QUOTA, [_RETRY_INFO])),
    "rate_limit_said": Fault(
        "rate_limit",
        429,
        _openai(
            "Rate limit reached for model `x` on tokens per minute (TPM). Please try again in 7.66s.",
            "tokens",
            "rate_limit_exceeded",
        ),
    ),
    "quota_429": Fault("quota", 429, _openai(_QUOTA, "insufficient_quota", "insufficient_quota")),
    "quota_402": Fault(
        "quota", 402, _openai("Insufficient Balance", "unknown_error", "invalid_request_error")
    ),
    "quota_400": Fault(
        "quota",
        400,
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "Your credit balance is too low to access the API. Please go to Plans & Billing.",
            },
        },
    ),
    "quota_403": Fault(
        "quota",
        403,
        {"code": "Some resource has been exhausted", "error": "Your team has used all available credits"},
    ),
    "bad_key_401": Fault(
        "credential",
        401,
        _openai("Incorrect API key provided: sk-fake*key.", "invalid_request_error", "invalid_api_key"),
    ),
    "bad_key_400": Fault(
        "credential",
        400,
        _google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.", [_KEY_REASON]),
    ),
    "model_gone": Fault(
        "model_gone",
        404,
        _openai(
            "The model `x` does not exist or you do not have access to it.", "invalid_request_error", None
        ),
    ),
    "overload_503": Fault(
        "overload", 503, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
    ),
    "overload_529": Fault(
        "overload", 529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    ),
    "error_500": Fault("transient", 500, _openai("The server had an error", "server_error", None)),
    "error_html": Fault("transient", 502, "<html><h1>502 Bad Gateway</h1></html>"),
    "context": Fault("context", 400, _openai(_CONTEXT, "invalid_request_error", "context_length_exceeded")),
    "content_400": Fault(
        "content",
        400,
        _openai(
            "Input text data may contain inappropriate content.",
            "data_inspection_failed",
            "data_inspection_failed",
        ),
    ),
    "content_filter": Fault("content", misbehaviour="content_filter"),
    "caller": Fault("caller", 400, _openai("Invalid value for 'temperature'", "invalid_request_error", None)),
    "hang": Fault("timeout", misbehaviour="hang"),
    "hang_headers": Fault("timeout", misbehaviour="hang_headers"),
    "gap": Fault("truncated", misbehaviour="gap", after=2),
    "reset": Fault("truncated", misbehaviour="reset", after=2),
    "reset_first": Fault("truncated", misbehaviour="reset"),
    "cut": Fault("truncated", misbehaviour="cut", after=2),
    "empty": Fault("empty", misbehaviour="empty"),
    "empty_text": Fault("empty", misbehaviour="empty_text"),
    "unclosed_think": Fault("empty", misbehaviour="unclosed_think"),
    "in_band": Fault("truncated", misbehaviour="in_band", after=2),
    "in_band_overload": Fault("overload", misbehaviour="in_band_overload"),
    "filtered_later": Fault("content", misbehaviour="content_filter", after=2),
}
