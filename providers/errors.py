"""Why a provider did not answer, as an object that the router can decide from."""

from enum import StrEnum


class ErrorClass(StrEnum):
    """The field's failures; scopes and durations of their cooldowns are in core/routing/cooldown.py."""

    RATE_LIMIT = "rate_limit"
    QUOTA = "quota"
    CREDENTIAL = "credential"
    MODEL_GONE = "model_gone"
    OVERLOAD = "overload"
    TRANSIENT = "transient"
    TIMEOUT = "timeout"
    CONNECT = "connect"
    CONTEXT = "context"
    CONTENT = "content"
    CALLER = "caller"
    TRUNCATED = "truncated"
    EMPTY = "empty"


class ProviderError(Exception):
    """A call that failed. `message` is the vendor's text, redacted, for logs and operators only:
    never for users. `retry_after` is in seconds, as the vendor said it."""

    def __init__(
        self,
        error_class: ErrorClass,
        message: str = "",
        *,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{error_class}: {message}")
        self.error_class = error_class
        self.message = message
        self.status = status
        self.retry_after = retry_after
