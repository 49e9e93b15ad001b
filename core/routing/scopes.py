"""What one attempt depends on, by name: a key, a model, a server."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from providers.errors import ErrorClass


@dataclass(frozen=True, slots=True)
class Scopes:
    """The names of everything that one attempt depends on."""

    key: str
    key_model: str
    endpoint: str
    endpoint_model: str
    route: str

    def __iter__(self) -> Iterator[str]:
        return iter((self.key, self.key_model, self.endpoint, self.endpoint_model, self.route))

    def of(self, error_class: ErrorClass) -> str | None:
        """What rests after an error of this class; None: nothing does."""
        match error_class:
            case ErrorClass.RATE_LIMIT:
                return self.key_model
            case ErrorClass.QUOTA | ErrorClass.CREDENTIAL:
                return self.key
            case ErrorClass.MODEL_GONE:
                return self.endpoint_model
            case ErrorClass.CONNECT | ErrorClass.OVERLOAD:
                return self.endpoint
            case ErrorClass.CONTEXT | ErrorClass.CONTENT | ErrorClass.CALLER:
                return None
            case _:
                return self.route


@lru_cache(maxsize=1024)
def scopes_of(provider_id: str, base_url: str, key: str, model: str) -> Scopes:
    """Names that people can read; keys and addresses only as digests, so that a changed one starts anew."""
    at, by, model = _digest(base_url), _digest(key), model[:180]
    return Scopes(
        key=f"key:{provider_id}:{by}",
        key_model=f"key-model:{provider_id}:{by}:{model}",
        endpoint=f"endpoint:{provider_id}:{at}",
        endpoint_model=f"model:{provider_id}:{at}:{model}",
        route=f"route:{provider_id}:{at}:{by}:{model}",
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:10]
