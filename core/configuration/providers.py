"""Providers and their keys."""

from collections.abc import Sequence
from typing import Any

from core.configuration.changes import PANEL, Changes, changeable, found, key_secret, refuse, refuse_use
from core.configuration.errors import Conflict, NotFound, Problem, nearest
from core.configuration.provider_configs import NewProvider, ProviderInput
from core.configuration.values import provider_of
from core.configuration.views import KeyHint, Provider, managed_of
from db import providers, routes
from db.base import new_id, now
from providers.catalog import vendors

SHORTEST_HINTED = 12  # of a shorter key four characters would give away too much


def key_hint(key: str) -> str:
    """A key's last four characters, for people to tell keys apart."""
    return key[-4:] if len(key) >= SHORTEST_HINTED else ""


def kind_problems(kind: str) -> list[Problem]:
    """A kind that nobody knows."""
    if kind in vendors():
        return []
    return [Problem("kind", "provider_kind", {"given": kind, "near": nearest(kind, vendors())})]


def provider_problems(config: ProviderInput) -> list[Problem]:
    """A kind that nobody knows, or an address that is missing."""
    unknown = kind_problems(config.kind)
    if unknown:
        return unknown
    if not vendors()[config.kind].base_url and not config.base_url:
        return [Problem("base_url", "base_url_needed")]
    return []


def provider_values(provider_id: str, config: ProviderInput) -> dict[str, Any]:
    """A provider's columns."""
    return {
        "kind": config.kind,
        "name": config.name or provider_id,
        "base_url": config.base_url,
        "enabled": config.enabled,
    }


class Providers:
    """The providers; ids are slugs."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def all(self) -> list[Provider]:
        """All of them, oldest first."""
        async with self._changes.database.reading() as conn:
            rows = await providers.all_providers(conn)
            keys = await providers.keys_of(conn)
        return [_view(row, [key for key in keys if key.provider_id == row.id]) for row in rows]

    async def get(self, provider_id: str) -> Provider:
        """One; raises NotFound."""
        async with self._changes.database.reading() as conn:
            row = await providers.get_provider(conn, provider_id)
            keys = await providers.keys_of(conn, provider_id)
        return _view(found(row, "provider", provider_id), keys)

    async def create(self, actor: str, new: NewProvider) -> Provider:
        """Make one with its keys. Raises Invalid or Conflict."""
        refuse(provider_problems(new))
        keys = [await self._seal(key) for key in new.keys or ()]
        async with self._changes.begin(actor) as change:
            if await providers.get_provider(change.conn, new.id):
                raise Conflict("taken", what="provider", id=new.id)
            values = {**provider_values(new.id, new), "config": {}, "managed": PANEL}
            await providers.save_provider(change.conn, new.id, **values)
            await providers.replace_keys(change.conn, new.id, keys)
            await change.audit("provider.create", new.id, keys=len(keys))
        return await self.get(new.id)

    async def change(self, actor: str, provider_id: str, config: ProviderInput) -> Provider:
        """Replace its settings; keys that are left out stay. Raises NotFound, Invalid or ManagedByFile."""
        refuse(provider_problems(config))
        keys = None if config.keys is None else [await self._seal(key) for key in config.keys]
        async with self._changes.begin(actor) as change:
            row = await providers.get_provider(change.conn, provider_id)
            row = changeable(row, "provider", provider_id)
            values = {**provider_values(provider_id, config), "managed": PANEL}
            moved = any(getattr(row, name) != values[name] for name in ("kind", "base_url"))
            if moved and keys is None and await providers.keys_of(change.conn, provider_id):
                refuse([Problem("keys", "secret_again")])
            await providers.save_provider(change.conn, provider_id, **values)
            if keys is not None:
                await providers.replace_keys(change.conn, provider_id, keys)
            await change.audit("provider.change", provider_id, keys=keys is not None)
        return await self.get(provider_id)

    async def add_key(self, actor: str, provider_id: str, key: str) -> KeyHint:
        """Append a key."""
        sealed = await self._seal(key)
        async with self._changes.begin(actor) as change:
            changeable(await providers.get_provider(change.conn, provider_id), "provider", provider_id)
            keys = _rows(await providers.keys_of(change.conn, provider_id))
            await providers.replace_keys(change.conn, provider_id, [*keys, sealed])
            await change.audit("provider.add_key", provider_id)
        return KeyHint(sealed["id"], sealed["hint"], sealed["created_at"])

    async def delete_key(self, actor: str, provider_id: str, key_id: str) -> None:
        """Remove a key."""
        async with self._changes.begin(actor) as change:
            changeable(await providers.get_provider(change.conn, provider_id), "provider", provider_id)
            keys = _rows(await providers.keys_of(change.conn, provider_id))
            kept = [key for key in keys if key["id"] != key_id]
            if len(kept) == len(keys):
                raise NotFound("key", key_id)
            await providers.replace_keys(change.conn, provider_id, kept)
            await change.audit("provider.delete_key", provider_id)

    async def delete(self, actor: str, provider_id: str) -> None:
        """Delete it with its keys; refused while a route names it."""
        async with self._changes.begin(actor) as change:
            changeable(await providers.get_provider(change.conn, provider_id), "provider", provider_id)
            users = [
                route.id
                for route in await routes.all_of(change.conn, routes.Route)
                if provider_id in map(provider_of, route.candidates)
            ]
            refuse_use("provider", provider_id, users)
            await providers.delete_provider(change.conn, provider_id)
            await change.audit("provider.delete", provider_id)

    async def _seal(self, key: str) -> dict[str, Any]:
        key_id = new_id()
        sealed = await self._changes.seal(key_secret(key_id), key)
        return {"id": key_id, "secret": sealed, "hint": key_hint(key), "created_at": now()}


def _rows(keys: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {"id": key.id, "secret": key.secret, "hint": key.hint, "created_at": key.created_at} for key in keys
    ]


def _view(row: Any, keys: Sequence[Any]) -> Provider:
    return Provider(
        id=row.id,
        kind=row.kind,
        name=row.name,
        base_url=row.base_url,
        enabled=row.enabled,
        keys=[KeyHint(key.id, key.hint, key.created_at) for key in keys],
        managed=managed_of(row),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
