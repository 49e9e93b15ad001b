"""What should run: rows read, secrets opened."""

import logging
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.instances import DEFAULT
from core.secrets import BadKey, Vault
from db.channels import all_channels
from db.database import Database
from db.providers import all_providers, keys_of
from db.routes import Route, all_of
from db.settings import CONFIG_VERSION, get_setting

logger = logging.getLogger(__name__)
Keys = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One channel as its row wants it. `broken` says why it cannot run."""

    id: str
    kind: str
    slug: str
    enabled: bool
    token: str
    config: Mapping[str, Any]
    provider_keys: Mapping[str, list[str]]
    updated_at: float
    broken: str = ""

    @property
    def name(self) -> str:
        """The name of its log and its process."""
        return f"{self.kind}-{self.slug}"


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

    def open(self, sealed: str, aad: str) -> str:
        """The secret; raises BadKey."""
        place = (sealed, aad)
        if place not in self._opened:
            self._opened[place] = self._vault.open(sealed, aad)
        return self._opened[place]

    def known(self) -> set[str]:
        """Every secret opened so far, for the redaction of logs."""
        return set(self._opened.values())


class Planner:
    """Reads the plan from rows; routes and keys only when the configuration's version changed."""

    def __init__(self, database: Database, secrets: Secrets) -> None:
        self._database = database
        self._secrets = secrets
        self._version = -1
        self._keys: Keys = {}
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

    async def provider_keys(self, provider_id: str) -> list[str]:
        """The opened keys of one provider."""
        async with self._database.reading() as conn:
            keys = await self._open_keys(conn, provider_id)
        return keys.get(provider_id, [])

    async def _read_routes(self, conn: AsyncConnection) -> None:
        enabled = {row.id for row in await all_providers(conn) if row.enabled}
        self._on_route = {row.id: _providers_of(row.candidates, enabled) for row in await all_of(conn, Route)}
        self._keys = await self._open_keys(conn)

    async def _open_keys(self, conn: AsyncConnection, provider_id: str | None = None) -> Keys:
        keys: Keys = defaultdict(list)
        for row in await keys_of(conn, provider_id):
            try:
                keys[row.provider_id].append(self._secrets.open(row.secret, f"provider_key.secret.{row.id}"))
            except BadKey as error:
                logger.error("key %s of provider %s: %s", row.id, row.provider_id, error)
        return dict(keys)

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
            provider_keys={name: self._keys[name] for name in on_route if name in self._keys},
            updated_at=row.updated_at,
            broken=broken,
        )


def _providers_of(candidates: list[str], enabled: set[str]) -> list[str]:
    named = [candidate.partition(":")[0] for candidate in candidates if ":" in candidate]
    return [name for name in dict.fromkeys(named) if name in enabled]
