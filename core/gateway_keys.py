"""Keys of the OpenAI-compatible API: shown once when they are made, kept as a digest, scoped to routes."""

import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field, field_validator
from sqlalchemy.ext.asyncio import AsyncConnection

from core.configuration.changes import found, no_such, refuse
from core.configuration.configs import Config, unique
from core.configuration.values import Name, Slug
from db import gateway_keys, media, operators, routes, slugs
from db.base import now
from db.database import Database

PREFIX = "sk-by-"
LONGEST = 200  # characters; whatever is longer is no key
FRESH_FOR = 1.0  # seconds that a key is believed without a look at its row
TOLD_EVERY = 60.0  # seconds between writes of when a key was used last
MOST_REMEMBERED = 10_000


class GatewayKeyInput(Config):
    """What a key may."""

    name: Name = Field("", title="Name", description="Who uses it, for people.")
    routes: list[Slug] = Field(
        default_factory=list, max_length=100, title="Routes", description="Ids of routes; empty: all."
    )
    models: bool | None = Field(
        None, title="Models", description='May name "provider:model" itself; empty: if it may use all routes.'
    )
    enabled: bool = Field(True, title="Enabled")
    expires_at: float | None = Field(
        None,
        ge=0,
        le=1e11,
        allow_inf_nan=False,
        title="Expires",
        description="UTC epoch seconds; empty: never.",
    )

    @field_validator("routes")
    @classmethod
    def _routes_once(cls, value: list[str]) -> list[str]:
        return unique(value)

    def values(self) -> dict[str, Any]:
        """The row's columns."""
        models = not self.routes if self.models is None else self.models
        return {**self.model_dump(), "models": models}


@dataclass(frozen=True, slots=True)
class GatewayKey:
    """A key as it may be shown; `id` is its digest, `routes` [] means all."""

    id: str
    name: str
    hint: str
    routes: tuple[str, ...]
    models: bool
    enabled: bool
    expires_at: float | None
    last_used_at: float | None
    created_at: float
    updated_at: float

    def expired(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= now()


def key_id(key: str) -> str:
    """The row's id of a key: its sha256. Keys are random, so that no salt is needed."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class GatewayKeys:
    """The keys; one per web process. Changes made by it hold at once, those of others within FRESH_FOR."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, tuple[float, GatewayKey]] = {}
        self._used: dict[str, float] = {}
        self._told: dict[str, float] = {}

    async def all(self) -> list[GatewayKey]:
        """Every key, oldest first."""
        async with self._database.reading() as conn:
            return [_shown(row) for row in await gateway_keys.all_keys(conn)]

    async def get(self, row_id: str) -> GatewayKey:
        """One; raises NotFound."""
        async with self._database.reading() as conn:
            return _shown(found(await gateway_keys.find_key(conn, row_id), "key", row_id))

    async def create(self, actor: str, new: GatewayKeyInput) -> tuple[str, GatewayKey]:
        """Make a key; this is the only time that it can be seen. Raises Invalid."""
        key = PREFIX + secrets.token_urlsafe(32)
        row_id, hint = key_id(key), key[-4:]
        async with self._database.transaction() as conn:
            await _check_routes(conn, new.routes)
            await gateway_keys.add_key(conn, id=row_id, hint=hint, **new.values())
            await operators.add_audit(conn, actor[:120], "gateway_key.create", new.name or hint)
        return key, await self.get(row_id)

    async def change(self, actor: str, row_id: str, config: GatewayKeyInput) -> GatewayKey:
        """Replace what it may. Raises NotFound or Invalid."""
        async with self._database.transaction() as conn:
            row = found(await gateway_keys.find_key(conn, row_id), "key", row_id)
            await _check_routes(conn, [route for route in config.routes if route not in row.routes])
            await gateway_keys.change_key(conn, row_id, **config.values())
            await operators.add_audit(conn, actor[:120], "gateway_key.change", config.name or row.hint)
        self._known.pop(row_id, None)
        return await self.get(row_id)

    async def delete(self, actor: str, row_id: str) -> None:
        """Revoke it; it is refused from now on. Raises NotFound."""
        async with self._database.transaction() as conn:
            row = found(await gateway_keys.find_key(conn, row_id), "key", row_id)
            await gateway_keys.delete_key(conn, row_id)
            await operators.add_audit(conn, actor[:120], "gateway_key.revoke", row.name or row.hint)
        self._known.pop(row_id, None)

    async def find(self, key: str) -> GatewayKey | None:
        """The row of a key that a caller shows, also of one that is disabled or expired."""
        if not key.startswith(PREFIX) or len(key) > LONGEST:
            return None
        row_id, moment = key_id(key), time.monotonic()
        read_at, known = self._known.get(row_id, (float("-inf"), None))
        if known is None or moment - read_at > FRESH_FOR:
            async with self._database.reading() as conn:
                row = await gateway_keys.find_key(conn, row_id)
            if row is None:
                self._known.pop(row_id, None)
                return None
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            known = _shown(row)
            self._known[row_id] = (moment, known)
        return known

    def touch(self, row_id: str) -> None:
        """A key is used now; `uses_to_tell` says which of them are due to be written."""
        if time.monotonic() - self._told.get(row_id, float("-inf")) >= TOLD_EVERY:
            self._told[row_id] = time.monotonic()
            self._used[row_id] = now()

    @property
    def due(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self._used)

    def uses_to_tell(self) -> dict[str, float]:
        """When keys were used last, as far as that was not handed out yet: at most once a minute for each."""
        due, self._used = self._used, {}
        return due


async def _check_routes(conn: AsyncConnection, wanted: Sequence[str]) -> None:
    known = [row.id for row in await slugs.all_of(conn, routes.Route)] if wanted else []
    known += [row.id for row in await slugs.all_of(conn, media.MediaRoute)] if wanted else []
    refuse(
        [
            no_such(f"routes[{position}]", "route", route, known)
            for position, route in enumerate(wanted)
            if route not in known
        ]
    )


def _shown(row: Any) -> GatewayKey:
    values = {name: getattr(row, name) for name in GatewayKey.__slots__}
    return GatewayKey(**{**values, "routes": tuple(row.routes)})
