"""Bringing the rows in line with a fleet file: idempotent, in one transaction, nothing is deleted."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from core.configuration.changes import FILE, GONE, PANEL, channel_secret, key_secret, no_such, proxies_secret
from core.configuration.channels import (
    BOT,
    WIDGET,
    bot_values,
    new_widget_secret,
    shared_values,
    token_problems,
    widget_values,
)
from core.configuration.characters import character_values
from core.configuration.errors import Problem
from core.configuration.media_routes import media_route_values
from core.configuration.presets import preset_values
from core.configuration.provider_configs import NewProvider
from core.configuration.providers import HERE, key_hint, provider_values, proxy_hints
from core.configuration.routes import route_values
from core.fleet.file_entries import BotEntry, Fleet, WidgetEntry
from core.fleet.file_knowledge import FLEET_BASE, FiledKnowledge, ReadDocuments, read_new_documents
from core.fleet.file_reading import FleetErrors
from core.secrets import BadKey, Vault
from db import (
    channels,
    gateway_keys,
    knowledge,
    limits,
    media,
    operators,
    providers,
    routes,
    settings,
    slugs,
)  # fmt: skip
from db.base import Row, new_id
from db.database import Database

__all__ = ["FLEET_BASE", "apply_fleet"]
ACTOR = "fleet file"
NOTHING: Mapping[str, Any] = {}


async def apply_fleet(database: Database, fleet: Fleet, vault: Vault) -> bool:
    """Make the rows say what the file says; True when anything changed.

    Rows that the panel made are never taken over: the same id is an error (FleetErrors, nothing is
    changed). Rows that the file named before and no longer does are stopped and marked "file-gone".
    """
    documents = await read_new_documents(database, fleet)
    async with database.transaction() as conn:
        applied = _Applied(conn, vault)
        await applied.apply(fleet, documents)
        if applied.problems:
            raise FleetErrors(applied.problems)
        if applied.changed:
            await settings.bump_config(conn)
            await operators.add_audit(conn, ACTOR, "fleet.apply", "", changed=applied.changed[:200])
    return bool(applied.changed)


class _Applied:
    """One run over the rows: what it changed, and why it must not be committed."""

    def __init__(self, conn: AsyncConnection, vault: Vault) -> None:
        self.changed: list[str] = []
        self.problems: list[Problem] = []
        self._conn = conn
        self._vault = vault

    async def apply(self, fleet: Fleet, documents: ReadDocuments) -> None:
        conn = self._conn
        await self._bases(fleet)
        await self._providers(fleet)
        await self._rows(routes.Route, "routes", [(r.id, route_values(r.id, r)) for r in fleet.routes])
        characters = [(c.id, character_values(c.id, c)) for c in fleet.characters]
        await self._rows(routes.Character, "characters", characters)
        made = [(one.id, media_route_values(one.id, one)) for one in fleet.media_routes]
        await self._rows(media.MediaRoute, "media_routes", made)
        presets = [(one.id, preset_values(one.id, one)) for one in fleet.presets]
        await self._rows(media.Preset, "presets", presets, {"standard": False})
        await self._channels(BOT, "bots", fleet.bots)
        await self._channels(WIDGET, "widgets", fleet.widgets)
        await self._rows(limits.Limit, "limits", await self._limits(fleet), {"enabled": False})
        content = FiledKnowledge(conn)
        await content.apply(fleet, documents)
        self.changed += content.changed

    def _may_take(self, row: Any | None, place: str) -> bool:
        if row is not None and row.managed == PANEL:
            self.problems.append(Problem(f"{place}.id", "taken_by_panel"))
            return False
        return True

    def _differs(self, row: Any | None, values: dict[str, Any], name: str) -> bool:
        same = row is not None and all(getattr(row, column) == value for column, value in values.items())
        if not same:
            self.changed.append(name)
        return not same

    async def _bases(self, fleet: Fleet) -> None:
        rows = {row.id: row for row in await knowledge.all_bases(self._conn)}
        for base in fleet.bases:
            row = rows.get(base)
            if row is None or row.managed not in (PANEL, FILE):
                await knowledge.save_base(self._conn, base, name=row.name if row else base, managed=FILE)
                self.changed.append(f"bases {base}")
        for row in rows.values():
            if row.managed == FILE and row.id not in fleet.bases:
                await knowledge.save_base(self._conn, row.id, managed=GONE)
                self.changed.append(f"bases {row.id}")

    async def _rows(
        self,
        kind: type[Row],
        section: str,
        wanted: Sequence[tuple[str, dict[str, Any]]],
        gone: Mapping[str, Any] = NOTHING,
    ) -> None:
        """Rows as they are `wanted`; those that the file named before get what `gone` says."""
        rows = {row.id: row for row in await slugs.all_of(self._conn, kind)}
        for position, (row_id, values) in enumerate(wanted):
            values = {**values, "managed": FILE}
            row = rows.pop(row_id, None)
            if not self._may_take(row, f"{section}[{position}]"):
                continue
            if self._differs(row, values, f"{section} {row_id}"):
                await slugs.save_one(self._conn, kind, row_id, **values)
        for row in rows.values():
            if row.managed == FILE:
                await slugs.save_one(self._conn, kind, row.id, managed=GONE, **gone)
                self.changed.append(f"{section} {row.id}")

    async def _limits(self, fleet: Fleet) -> list[tuple[str, dict[str, Any]]]:
        """The columns of limits, with instances by their channels."""
        known = {(row.kind, row.slug): row.id for row in await channels.all_channels(self._conn)}
        found = []
        for position, entry in enumerate(fleet.limits):
            values = entry.model_dump(exclude={"id", "bot", "widget"})
            if entry.bot or entry.widget:
                channel = known.get((BOT, entry.bot) if entry.bot else (WIDGET, entry.widget), "")
                values["subject"] = f"{channel}/{entry.subject}" if entry.subject else channel
            named = entry.subject if entry.subject_kind == "key" else ""
            if named and await gateway_keys.find_key(self._conn, named) is None:
                self.problems.append(no_such(f"limits[{position}].subject", "key", named, ()))
            found.append((entry.id, {**values, "name": entry.name or entry.id}))
        return found

    async def _providers(self, fleet: Fleet) -> None:
        rows = {row.id: row for row in await providers.all_providers(self._conn)}
        for position, entry in enumerate(fleet.providers):
            row = rows.pop(entry.id, None)
            if not self._may_take(row, f"providers[{position}]"):
                continue
            values = {**provider_values(entry.id, entry), "managed": FILE}
            values["config"] = proxy_hints(values["config"], entry.proxies or ())
            same = row is not None and (row.kind, row.base_url) == (entry.kind, entry.base_url)
            if same and row.config.get(HERE):
                values["config"][HERE] = True
            values["proxies"] = self._proxies(entry, row)
            if self._differs(row, values, f"providers {entry.id}"):
                await providers.save_provider(self._conn, entry.id, **values)
            await self._keys(entry)
        for row in rows.values():
            if row.managed == FILE:
                await providers.save_provider(self._conn, row.id, managed=GONE, enabled=False)
                self.changed.append(f"providers {row.id}")

    def _proxies(self, entry: NewProvider, row: Any | None) -> str | None:
        """The stored ones where they are the same: every sealing differs."""
        if not entry.proxies:
            return None
        place, wanted = proxies_secret(entry.id), json.dumps(entry.proxies)
        if row is not None and row.proxies and self._open(row.proxies, place) == wanted:
            return str(row.proxies)
        return self._vault.seal(wanted, place)

    async def _keys(self, entry: NewProvider) -> None:
        wanted = list(entry.keys or ())
        rows = await providers.keys_of(self._conn, entry.id)
        if [self._open(row.secret, key_secret(row.id)) for row in rows] == wanted:
            return
        keys = []
        for key in wanted:
            key_id = new_id()
            sealed = self._vault.seal(key, key_secret(key_id))
            keys.append({"id": key_id, "secret": sealed, "hint": key_hint(key)})
        await providers.replace_keys(self._conn, entry.id, keys)
        self.changed.append(f"providers {entry.id} keys")

    async def _channels(self, kind: str, section: str, entries: Sequence[BotEntry | WidgetEntry]) -> None:
        rows = {row.slug: row for row in await channels.all_channels(self._conn, kind)}
        named = {entry.id for entry in entries}
        gone = {slug: row for slug, row in rows.items() if row.managed == FILE and slug not in named}
        for slug, row in gone.items():  # first, so that a token may move from one bot of the file to another
            await channels.change_channel(self._conn, row.id, managed=GONE, enabled=False)
            self.changed.append(f"{section} {slug}")
        for position, entry in enumerate(entries):
            row = rows.get(entry.id)
            if self._may_take(row, f"{section}[{position}]"):
                await self._channel(kind, f"{section}[{position}]", entry, row)
        if kind == BOT:
            await self._tokens(entries)

    async def _channel(self, kind: str, place: str, entry: BotEntry | WidgetEntry, row: Any | None) -> None:
        channel_id = row.id if row else new_id()
        running = row.enabled if row is not None and row.managed == FILE else True
        config = bot_values(entry) if isinstance(entry, BotEntry) else widget_values(entry)
        values = {
            **shared_values(entry.id, entry),
            "config": config,
            "enabled": running if entry.enabled is None else entry.enabled,
            "secret": self._secret(entry, row, channel_id),
            "managed": FILE,
        }
        if not self._differs(row, values, f"{place.partition('[')[0]} {entry.id}"):
            return
        if row is None:
            await channels.add_channel(self._conn, id=channel_id, kind=kind, slug=entry.id, **values)
        else:
            await channels.change_channel(self._conn, channel_id, **values)

    def _secret(self, entry: BotEntry | WidgetEntry, row: Any | None, channel_id: str) -> str:
        """The stored secret where it is the same: a new sealing would fork the channel anew."""
        place = channel_secret(channel_id)
        stored = self._open(row.secret, place) if row is not None and row.secret else None
        wanted = entry.token if isinstance(entry, BotEntry) else stored or new_widget_secret()
        if row is not None and stored == wanted:
            return str(row.secret)
        return self._vault.seal(wanted, place)

    async def _tokens(self, entries: Sequence[BotEntry | WidgetEntry]) -> None:
        """Bots of the panel that have a token of the file; within the file that was checked before."""
        slugs = {entry.id for entry in entries}
        own = {row.slug: row.id for row in await channels.all_channels(self._conn, BOT)}
        for position, entry in enumerate(entries):
            if isinstance(entry, BotEntry):
                place = f"bots[{position}].token"
                found = await token_problems(self._conn, bot_values(entry), own[entry.id], place)
                self.problems += [one for one in found if one.values["id"] not in slugs]

    def _open(self, sealed: str, place: str) -> str | None:
        try:
            return self._vault.open(sealed, place)
        except BadKey:
            return None  # sealed with another key: the file has the secret, so it is sealed again
