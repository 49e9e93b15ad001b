"""Every route and provider with its keys, for the process that answers programs and operators."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from core.provider_secrets import ProviderSecrets
from core.routing.spec import RouteSpec
from db import limits, providers, routes, settings, slugs
from db.database import Database
from providers.types import ProviderConfig

FRESH_FOR = 0.5  # seconds between looks at the configuration's version
AUTO = "auto"
SEALED = "sealed"  # no proxy: opening such a provider fails
SecretsOf = Callable[[str], Awaitable[ProviderSecrets]]
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Book:
    """One version of the configuration's routes and enabled providers, by id, and its rows of limits."""

    version: int = -1
    routes: Mapping[str, RouteSpec] = field(default_factory=dict)
    providers: Mapping[str, ProviderConfig] = field(default_factory=dict)
    limits: tuple[Any, ...] = ()

    def find(self, name: str) -> RouteSpec | None:
        """What a caller names: a route's id, "provider:model", "provider:auto" or "auto"; None: unknown."""
        if name in self.routes:
            return self.routes[name]
        provider_id, colon, model = name.partition(":")
        if name == AUTO or (colon and model and provider_id in self.providers):
            return RouteSpec(None, (name,), {}, self.named_by((name,)))
        return None

    def named_by(self, candidates: Iterable[str]) -> tuple[ProviderConfig, ...]:
        """The providers that lines name; all of them where one is "auto"."""
        lines = list(candidates)
        named = dict.fromkeys(line.partition(":")[0] for line in lines if ":" in line)
        if AUTO in lines:
            named = dict.fromkeys((*named, *self.providers))
        return tuple(self.providers[one] for one in named if one in self.providers)


class RouteBook:
    """Reads the book again when the configuration's version has changed. `secrets_of` opens the keys and
    proxies of a provider; while it cannot (`away`), or the database cannot be read, the last book goes on."""

    def __init__(self, database: Database, secrets_of: SecretsOf, away: type[Exception] = OSError) -> None:
        self._database = database
        self._secrets_of = secrets_of
        self._away = away
        self._book = Book()
        self._looked_at = float("-inf")
        self._reading = asyncio.Lock()

    async def current(self) -> Book:
        """The book as it is now, at most FRESH_FOR old. Raises what the first reading of it raised."""
        async with self._reading:
            if time.monotonic() - self._looked_at >= FRESH_FOR:
                try:
                    await self._read()
                except (self._away, SQLAlchemyError) as error:
                    if self._book.version < 0:
                        raise
                    logger.warning("the configuration cannot be read just now: %s", error)
                self._looked_at = time.monotonic()
            return self._book

    async def _read(self) -> None:
        async with self._database.reading() as conn:
            version = int(await settings.get_setting(conn, settings.CONFIG_VERSION, 0))
            if version == self._book.version:
                return
            rows = [row for row in await providers.all_providers(conn) if row.enabled]
            route_rows = await slugs.all_of(conn, routes.Route)
            limit_rows = await limits.all_limits(conn)
        book = _book(version, [await self._config(row) for row in rows], route_rows)
        self._book = replace(book, limits=tuple(limit_rows))

    async def _config(self, row: Any) -> ProviderConfig:
        return provider_config(row, await self._secrets_of(row.id))


def provider_config(row: Any, secrets: ProviderSecrets) -> ProviderConfig:
    """What a provider is opened from: its row and its opened secrets. One whose proxies could not be opened
    gets an address that nothing can use: it must not be called past them."""
    proxies = secrets.proxies or ((SEALED,) if row.proxies else ())
    return ProviderConfig(
        id=row.id,
        kind=row.kind,
        base_url=row.base_url or "",
        keys=secrets.keys,
        options=dict(row.config),
        proxies=proxies,
    )


def _book(version: int, configs: Sequence[ProviderConfig], rows: Sequence[Any]) -> Book:
    bare = Book(version, {}, {config.id: config for config in configs})
    specs = {
        row.id: RouteSpec(row.id, tuple(row.candidates), dict(row.settings), bare.named_by(row.candidates))
        for row in rows
    }
    return Book(version, specs, bare.providers)
