"""Who calls the gateway, and which routes and models that key may use."""

from collections.abc import Iterator

from starlette.types import Scope

from admin.gateway.errors import LONGEST_NAME, ApiError, no_key, no_model
from admin.gateway.http import header
from core.gateway_keys import GatewayKey, GatewayKeys
from core.routing.book import AUTO, Book, RouteBook
from core.routing.facts import known_models
from core.routing.spec import RouteSpec
from providers.catalog import UnknownKind, find_vendor
from providers.types import ProviderConfig


class Access:
    """Lets callers in. Only gateway keys are valid here, no token of the other APIs."""

    def __init__(self, keys: GatewayKeys, book: RouteBook) -> None:
        self._keys = keys
        self._book = book

    async def key_of(self, scope: Scope) -> GatewayKey:
        """The caller's key. Raises ApiError."""
        scheme, _, given = header(scope, b"authorization").partition(" ")
        if scheme.lower() != "bearer" or not given.strip():
            raise no_key("A gateway key is needed: Authorization: Bearer sk-by-...")
        key = await self._keys.find(given.strip())
        if key is None:
            raise no_key("This is no gateway key, or it was revoked.")
        if not key.enabled:
            raise no_key("This key is switched off.")
        if key.expired():
            raise no_key("This key has expired.")
        self._keys.touch(key.id)
        return key

    async def route(self, key: GatewayKey, name: str) -> RouteSpec:
        """What a caller names as its model. Raises ApiError."""
        book = await self._book.current()
        if name in book.routes:
            if not key.routes or name in key.routes:
                return book.routes[name]
            raise no_model(name, names(book, key))
        spec = book.find(name) if len(name) <= LONGEST_NAME and name.isprintable() else None
        if spec is None:
            raise no_model(name, names(book, key))
        if not key.models:
            routes = ", ".join(list(names(book, key))[:10]) or "none is there"
            text = f"This key may not name models itself. Its routes: {routes}."
            raise ApiError(403, text, "permission_error", "model", "model_not_allowed")
        return spec

    async def models(self, key: GatewayKey) -> list[tuple[str, str]]:
        """Names that the key may use, each with who owns it: routes first."""
        book = await self._book.current()
        return [
            (name, "botyard" if name in book.routes or ":" not in name else name.partition(":")[0])
            for name in names(book, key)
        ]


def names(book: Book, key: GatewayKey) -> Iterator[str]:
    """Routes, then "auto", then each provider's models as far as they are known."""
    for route in book.routes:
        if not key.routes or route in key.routes:
            yield route
    if not key.models or not book.providers:
        return
    yield AUTO
    for provider in book.providers.values():
        for model in dict.fromkeys(_models(provider)):
            yield f"{provider.id}:{model}"


def _models(provider: ProviderConfig) -> Iterator[str]:
    try:
        vendor = find_vendor(provider.kind)
    except UnknownKind:
        yield AUTO
        return
    if vendor.chat:
        yield AUTO
        yield from (one.name for one in known_models(provider, vendor))
