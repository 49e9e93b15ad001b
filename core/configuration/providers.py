"""Providers and their keys."""

import json
from collections.abc import Sequence
from typing import Any

from core.configuration.changes import (
    PANEL,
    Changes,
    changeable,
    found,
    key_secret,
    proxies_secret,
    refuse,
    refuse_use,
)
from core.configuration.errors import Conflict, NotFound, Problem, nearest
from core.configuration.provider_configs import MEDIA_NUMBERS, NUMBERS, NewProvider, ProviderInput
from core.configuration.values import provider_of, without_password
from core.configuration.views import KeyHint, Provider, managed_of
from db import media, providers, routes, slugs
from db.base import new_id, now
from providers.catalog import vendors

HINTS = "proxy_hints"  # in a row's config: the proxies themselves are sealed
HERE = "here"  # in a row's config: the engine host of this machine, at its first address
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
        "config": config.options(),
    }


def proxy_hints(config: dict[str, Any], proxies: Sequence[str]) -> dict[str, Any]:
    """A provider's options with its proxies as they may be shown."""
    return {**config, HINTS: [without_password(proxy) for proxy in proxies]} if proxies else config


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
        proxies = {"proxies": await self._seal_proxies(new.id, new.proxies or ())}
        async with self._changes.begin(actor) as change:
            if await providers.get_provider(change.conn, new.id):
                raise Conflict("taken", what="provider", id=new.id)
            values = {**provider_values(new.id, new), "managed": PANEL, **proxies}
            values["config"] = proxy_hints(values["config"], new.proxies or ())
            await providers.save_provider(change.conn, new.id, **values)
            await providers.replace_keys(change.conn, new.id, keys)
            await change.audit("provider.create", new.id, keys=len(keys))
        return await self.get(new.id)

    async def change(self, actor: str, provider_id: str, config: ProviderInput) -> Provider:
        """Replace its settings; keys that are left out stay. Raises NotFound, Invalid or ManagedByFile."""
        refuse(provider_problems(config))
        keys = None if config.keys is None else [await self._seal(key) for key in config.keys]
        await self.get(provider_id)  # secrets are sealed for what is there
        sealed = await self._seal_proxies(provider_id, config.proxies or ())
        async with self._changes.begin(actor) as change:
            row = await providers.get_provider(change.conn, provider_id)
            row = changeable(row, "provider", provider_id)
            values = {**provider_values(provider_id, config), "managed": PANEL}
            moved = any(getattr(row, name) != values[name] for name in ("kind", "base_url"))
            if moved and keys is None and await providers.keys_of(change.conn, provider_id):
                refuse([Problem("keys", "secret_again")])
            if moved and config.headers and config.headers == (row.config.get("headers") or {}):
                refuse([Problem("headers", "headers_again")])
            if moved and config.proxies is None and row.proxies:
                refuse([Problem("proxies", "secret_again")])
            if row.config.get(HERE) and not moved:
                values["config"][HERE] = True
            if config.proxies is None:
                values["config"] = {**values["config"], **_hints(row)}
            else:
                values["config"] = proxy_hints(values["config"], config.proxies)
                values["proxies"] = sealed
            await providers.save_provider(change.conn, provider_id, **values)
            if keys is not None:
                await providers.replace_keys(change.conn, provider_id, keys)
            secrets = {"keys": keys is not None, "proxies": config.proxies is not None}
            await change.audit("provider.change", provider_id, **secrets)
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

    async def move_key(self, actor: str, provider_id: str, key_id: str) -> None:
        """Put a key one place further to the front."""
        async with self._changes.begin(actor) as change:
            changeable(await providers.get_provider(change.conn, provider_id), "provider", provider_id)
            keys = _rows(await providers.keys_of(change.conn, provider_id))
            place = next((place for place, key in enumerate(keys) if key["id"] == key_id), None)
            if place is None:
                raise NotFound("key", key_id)
            keys.insert(max(place - 1, 0), keys.pop(place))
            await providers.replace_keys(change.conn, provider_id, keys)
            await change.audit("provider.move_key", provider_id)

    async def set_proxies(self, actor: str, provider_id: str, proxies: Sequence[str]) -> None:
        """Replace its proxies, and nothing else."""
        await self.get(provider_id)
        sealed = await self._seal_proxies(provider_id, proxies)
        async with self._changes.begin(actor) as change:
            row = await providers.get_provider(change.conn, provider_id)
            row = changeable(row, "provider", provider_id)
            bare = {name: value for name, value in row.config.items() if name != HINTS}
            config = proxy_hints(bare, proxies)
            await providers.save_provider(change.conn, provider_id, config=config, proxies=sealed)
            await change.audit("provider.set_proxies", provider_id, count=len(proxies))

    async def delete(self, actor: str, provider_id: str) -> None:
        """Delete it with its keys; refused while a route names it."""
        async with self._changes.begin(actor) as change:
            changeable(await providers.get_provider(change.conn, provider_id), "provider", provider_id)
            named = await slugs.all_of(change.conn, routes.Route)
            named += await slugs.all_of(change.conn, media.MediaRoute)
            users = [one.id for one in named if provider_id in map(provider_of, one.candidates)]
            refuse_use("provider", provider_id, users)
            await providers.delete_provider(change.conn, provider_id)
            await change.audit("provider.delete", provider_id)

    async def _seal(self, key: str) -> dict[str, Any]:
        key_id = new_id()
        sealed = await self._changes.seal(key_secret(key_id), key)
        return {"id": key_id, "secret": sealed, "hint": key_hint(key), "created_at": now()}

    async def _seal_proxies(self, provider_id: str, proxies: Sequence[str]) -> str | None:
        if not proxies:
            return None
        return await self._changes.seal(proxies_secret(provider_id), json.dumps(list(proxies)))


def _hints(row: Any) -> dict[str, Any]:
    return {HINTS: row.config[HINTS]} if HINTS in row.config else {}


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
        headers=row.config.get("headers") or {},
        proxies=row.config.get(HINTS) or [],
        **{name: row.config.get(name) for name in (*NUMBERS, *MEDIA_NUMBERS, "location")},
        stream=row.config.get("stream", True),
        private=row.config.get("private", False),
        billed=row.config.get("billed", False),
        models=row.config.get("models") or [],
        result_hosts=row.config.get("result_hosts") or [],
        managed=managed_of(row),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
