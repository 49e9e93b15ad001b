"""Bots and widgets: the instances of the fleet."""

import secrets
from typing import Any, Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from core.configuration.changes import (
    GONE,
    PANEL,
    Change,
    Changes,
    changeable,
    channel_secret,
    check_references,
    found,
    refuse,
)
from core.configuration.configs import BotConfig, ChannelConfig, NewBot, NewWidget, WidgetConfig
from core.configuration.errors import Conflict, Problem
from core.configuration.views import Bot, Instance, Widget, managed_of
from core.kinds import KINDS
from db import channels
from db.base import new_id

ADDRESS = "api_base"  # where a bot's secret goes
KEPT = ("token_hint",)  # of the configuration, while the secret stays
View = TypeVar("View", bound=Instance)
New = TypeVar("New", NewBot, NewWidget)
C = TypeVar("C", bound=ChannelConfig)


def kind_in(folder: str) -> str:
    """The channel kind whose code lives in a folder (bots, widget)."""
    return next(name for name, kind in KINDS.items() if kind.module.split(".")[0] == folder)


BOT, WIDGET = kind_in("bots"), kind_in("widget")


def new_widget_secret() -> str:
    """The secret that signs the tokens of a widget's visitors."""
    return secrets.token_urlsafe(32)


def bot_values(config: BotConfig) -> dict[str, Any]:
    """A bot's `config` column; the part of the token before the colon is public and names the bot."""
    values = {
        "api_base": config.api_base, "token_hint": config.token and config.token.partition(":")[0],
        "image_route": config.image_route, "video_route": config.video_route,
    }  # fmt: skip
    return {name: value for name, value in values.items() if value}


def widget_values(config: WidgetConfig) -> dict[str, Any]:
    """A widget's `config` column."""
    values = {
        "origins": config.origins, "title": config.title, "color": config.color,
        "image_route": config.image_route, "video_route": config.video_route,
    }  # fmt: skip
    return {name: value for name, value in values.items() if value is not None}


def shared_values(slug: str, config: ChannelConfig) -> dict[str, Any]:
    """The columns that bots and widgets have in common."""
    return {
        "name": config.name or slug,
        "route_id": config.route,
        "character_id": config.character,
        "base_ids": list(dict.fromkeys(config.bases)),
    }


async def token_problems(
    conn: AsyncConnection, wanted: dict[str, Any], own_id: str, place: str = "token"
) -> list[Problem]:
    """Another bot that has the same token; `wanted` is the `config` column to be."""
    hint, server = wanted.get("token_hint"), wanted.get("api_base")
    return [
        Problem(place, "token_used", {"id": row.slug})
        for row in await channels.all_channels(conn, BOT)
        if hint
        and row.id != own_id
        and row.managed != GONE
        and row.config.get("token_hint") == hint
        and row.config.get("api_base") == server
    ]


class Channels(Generic[View, New, C]):
    """The instances of one kind; ids are slugs."""

    kind: str
    what: str

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    async def all(self) -> list[View]:
        """All of them, oldest first."""
        async with self._changes.database.reading() as conn:
            return [self._view(row) for row in await channels.all_channels(conn, self.kind)]

    async def get(self, slug: str) -> View:
        """One; raises NotFound."""
        async with self._changes.database.reading() as conn:
            row = await channels.find_channel(conn, self.kind, slug)
        return self._view(found(row, self.what, slug))

    async def create(self, actor: str, new: New, start: bool = True) -> View:
        """Make one and start it. Raises Invalid or Conflict."""
        channel_id = new_id()
        secret = await self._secret(channel_id, new, fresh=True)
        async with self._changes.begin(actor) as change:
            if await channels.find_channel(change.conn, self.kind, new.id):
                raise Conflict("taken", what=self.what, id=new.id)
            values = self._values(new)
            await self._check(change, new, values, channel_id)
            await channels.add_channel(
                change.conn,
                id=channel_id,
                kind=self.kind,
                slug=new.id,
                secret=secret,
                enabled=start and secret is not None,
                config=values,
                managed=PANEL,
                **shared_values(new.id, new),
            )
            await change.audit(f"{self.what}.create", new.id)
        return await self.get(new.id)

    async def change(self, actor: str, slug: str, config: C) -> View:
        """Replace its settings; secrets that are left out stay. Raises NotFound, Invalid, ManagedByFile."""
        row = await self._row(slug)
        secret = await self._secret(row.id, config, fresh=False)
        async with self._changes.begin(actor) as change:
            row = await channels.find_channel(change.conn, self.kind, slug)
            row = changeable(row, self.what, slug)
            kept = {name: row.config[name] for name in KEPT if name in row.config and not secret}
            wanted = {**kept, **self._values(config)}
            await self._check(change, config, wanted, row.id)
            if row.secret and not secret and wanted.get(ADDRESS) != row.config.get(ADDRESS):
                refuse([Problem("token", "secret_again")])
            values = {"config": wanted, "managed": PANEL, "secret": secret or row.secret}
            await channels.change_channel(change.conn, row.id, **values, **shared_values(slug, config))
            await change.audit(f"{self.what}.change", slug, secret=bool(secret))
        return await self.get(slug)

    async def delete(self, actor: str, slug: str) -> None:
        """Delete it with its conversations."""
        async with self._changes.begin(actor) as change:
            row = await channels.find_channel(change.conn, self.kind, slug)
            row = changeable(row, self.what, slug)
            await channels.delete_channel(change.conn, row.id)
            await change.audit(f"{self.what}.delete", slug)

    async def start(self, actor: str, slug: str) -> bool:
        """Want it to run; False when that was so already. One that the file lost becomes the panel's."""
        return await self._enable(actor, slug, True)

    async def stop(self, actor: str, slug: str) -> bool:
        """Want it to stand still; False when that was so already."""
        return await self._enable(actor, slug, False)

    async def _enable(self, actor: str, slug: str, enabled: bool) -> bool:
        row = await self._row(slug)
        if row.enabled == enabled:
            return False
        if enabled and not row.secret:
            raise Conflict("no_token")
        managed = PANEL if enabled and row.managed == GONE else row.managed
        async with self._changes.begin(actor) as change:
            await channels.change_channel(change.conn, row.id, enabled=enabled, managed=managed)
            await change.audit(f"{self.what}.{'start' if enabled else 'stop'}", slug)
        return True

    async def _row(self, slug: str) -> Any:
        async with self._changes.database.reading() as conn:
            return found(await channels.find_channel(conn, self.kind, slug), self.what, slug)

    async def _check(
        self, change: Change, config: ChannelConfig, wanted: dict[str, Any], channel_id: str
    ) -> None:
        refuse(await check_references(change.conn, config))

    async def _secret(self, channel_id: str, config: Any, fresh: bool) -> str | None:
        raise NotImplementedError

    def _values(self, config: Any) -> dict[str, Any]:
        raise NotImplementedError

    def _view(self, row: Any) -> View:
        raise NotImplementedError


class Bots(Channels[Bot, NewBot, BotConfig]):
    """The bots."""

    kind = BOT
    what = "bot"

    async def _check(
        self, change: Change, config: ChannelConfig, wanted: dict[str, Any], channel_id: str
    ) -> None:
        problems = await check_references(change.conn, config)
        refuse(problems + await token_problems(change.conn, wanted, channel_id))

    async def _secret(self, channel_id: str, config: BotConfig, fresh: bool) -> str | None:
        if not config.token:
            return None
        return await self._changes.seal(channel_secret(channel_id), config.token)

    def _values(self, config: BotConfig) -> dict[str, Any]:
        return bot_values(config)

    def _view(self, row: Any) -> Bot:
        return Bot(
            **_instance(row),
            address=row.address,
            api_base=row.config.get("api_base"),
            has_token=bool(row.secret),
            token_hint=row.config.get("token_hint", ""),
        )


class Widgets(Channels[Widget, NewWidget, WidgetConfig]):
    """The widgets."""

    kind = WIDGET
    what = "widget"

    async def _secret(self, channel_id: str, config: WidgetConfig, fresh: bool) -> str | None:
        return await self._changes.seal(channel_secret(channel_id), new_widget_secret()) if fresh else None

    def _values(self, config: WidgetConfig) -> dict[str, Any]:
        return widget_values(config)

    def _view(self, row: Any) -> Widget:
        return Widget(
            **_instance(row),
            origins=list(row.config.get("origins", ())),
            title=row.config.get("title", ""),
            color=row.config.get("color"),
        )


def _instance(row: Any) -> dict[str, Any]:
    same = ("name", "enabled", "state", "state_reason", "state_since", "restarts",
            "created_at", "updated_at")  # fmt: skip
    return {
        **{name: getattr(row, name) for name in same},
        "id": row.slug,
        "managed": managed_of(row),
        "channel_id": row.id,
        "route": row.route_id,
        "character": row.character_id,
        "bases": list(row.base_ids),
        "image_route": row.config.get("image_route"),
        "video_route": row.config.get("video_route"),
    }
