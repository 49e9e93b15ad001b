"""What should run: rows read, secrets opened."""

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.instances import DEFAULT
from core.provider_secrets import ProviderSecrets, passwords_in
from core.routing.book import AUTO
from core.secrets import BadKey, Vault
from db.channels import all_channels
from db.database import Database
from db.providers import all_providers, get_provider, keys_of
from db.routes import Route
from db.settings import CONFIG_VERSION, get_setting
from db.slugs import all_of

logger = logging.getLogger(__name__)
Opened = dict[str, ProviderSecrets]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One channel as its row wants it. `broken` says why it cannot run."""

    id: str
    kind: str
    slug: str
    enabled: bool
    token: str
    config: Mapping[str, Any]
    secrets: Mapping[str, ProviderSecrets]
    updated_at: float
    broken: str = ""

    @property
    def name(self) -> str:
        """The name of its log and its process."""
        return f"{self.kind}-{self.slug}"

    @property
    def handed(self) -> dict[str, Any]:
        """The secrets as its process gets them."""
        return {name: secrets.to_json() for name, secrets in self.secrets.items()}


@dataclass(frozen=True, slots=True)
class Plan:
    """All channels by id, at one version of the configuration."""

    version: int
    channels: Mapping[str, Wanted]


class Secrets:
    """Opens sealed texts; each one once."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._opened: dict[tuple[str, str], str] = {}
        self._passwords: set[str] = set()

    def open(self, sealed: str, aad: str) -> str:
        """The secret; raises BadKey."""
        place = (sealed, aad)
        if place not in self._opened:
            self._opened[place] = self._vault.open(sealed, aad)
        return self._opened[place]

    def open_proxies(self, sealed: str | None, aad: str) -> tuple[str, ...]:
        """A provider's proxies; raises BadKey."""
        proxies = tuple(json.loads(self.open(sealed, aad))) if sealed else ()
        self._passwords.update(passwords_in(proxies))
        return proxies

    def known(self) -> set[str]:
        """Every secret opened so far, for the redaction of logs."""
        return {*self._opened.values(), *self._passwords}


class Planner:
    """Reads the plan from rows; routes and providers only when the configuration's version changed."""

    def __init__(self, database: Database, secrets: Secrets) -> None:
        self._database = database
        self._secrets = secrets
        self._version = -1
        self._opened: Opened = {}
        self._on_route: dict[str, list[str]] = {}

    async def read(self) -> Plan:
        """What should run now."""
        async with self._database.reading() as conn:
            version = int(await get_setting(conn, CONFIG_VERSION, 0))
            if version != self._version:
                await self._read_routes(conn)
                self._version = version
            rows = await all_channels(conn)
        return Plan(version, {row.id: self._wanted(row) for row in rows})

    async def provider_secrets(self, provider_id: str) -> ProviderSecrets:
        """The opened keys and proxies of one provider."""
        async with self._database.reading() as conn:
            row = await get_provider(conn, provider_id)
            opened = await self._open(conn, [row] if row else [], provider_id)
        return opened.get(provider_id, ProviderSecrets())

    async def _read_routes(self, conn: AsyncConnection) -> None:
        rows = [row for row in await all_providers(conn) if row.enabled]
        enabled = [row.id for row in rows]
        self._on_route = {row.id: _providers_of(row.candidates, enabled) for row in await all_of(conn, Route)}
        self._opened = await self._open(conn, rows)

    async def _open(self, conn: AsyncConnection, rows: Sequence[Any], one: str | None = None) -> Opened:
        keys: dict[str, list[str]] = defaultdict(list)
        for row in await keys_of(conn, one):
            try:
                keys[row.provider_id].append(self._secrets.open(row.secret, f"provider_key.secret.{row.id}"))
            except BadKey as error:
                logger.error("key %s of provider %s: %s", row.id, row.provider_id, error)
        opened: Opened = {}
        for row in rows:
            try:
                proxies = self._secrets.open_proxies(row.proxies, f"provider.proxies.{row.id}")
            except BadKey as error:  # without its keys: it must not be called past its proxies
                logger.error("the proxies of provider %s: %s", row.id, error)
                continue
            opened[row.id] = ProviderSecrets(tuple(keys[row.id]), proxies)
        return opened

    def _wanted(self, row: Any) -> Wanted:
        token, broken = "", ""
        if row.secret:
            try:
                token = self._secrets.open(row.secret, f"channel.secret.{row.id}")
            except BadKey as error:
                broken = str(error)
        on_route = self._on_route.get(row.route_id or DEFAULT, [])
        return Wanted(
            id=row.id,
            kind=row.kind,
            slug=row.slug,
            enabled=bool(row.enabled),
            token=token,
            config=row.config or {},
            secrets={name: self._opened[name] for name in on_route if name in self._opened},
            updated_at=row.updated_at,
            broken=broken,
        )


def _providers_of(candidates: list[str], enabled: Sequence[str]) -> list[str]:
    if AUTO in candidates:
        return list(enabled)
    named = [candidate.partition(":")[0] for candidate in candidates if ":" in candidate]
    return [name for name in dict.fromkeys(named) if name in enabled]
