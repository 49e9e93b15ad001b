"""What the steps of a job work with, put together once in the runner."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.jobs.candidates import scopes_for
from core.media.presets import Presets
from core.media.store import Store
from core.routing.book import RouteBook
from core.routing.cooldown import Cooldown
from core.routing.scopes import Scopes
from db import jobs, media, slugs
from db.database import Database
from providers.errors import ErrorClass, ProviderError
from providers.media.registry import open_media
from providers.media.types import MediaModel, MediaProvider
from providers.types import ProviderConfig

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Bench:
    """Rows, routes, rests, the media store, open providers, and the folder in which unfinished files lie.
    `wake` tells a channel to look at its outbox."""

    database: Database
    book: RouteBook
    cooldown: Cooldown
    store: Store
    folder: Path
    wake: Callable[[str], Awaitable[Any]]
    presets: Presets
    _open: dict[str, tuple[ProviderConfig, MediaProvider]] = field(default_factory=dict)

    async def job(self, job_id: str, attempt: int) -> Any | None:
        """The row of a job while this attempt of it runs."""
        async with self.database.reading() as conn:
            row = await jobs.get_job(conn, job_id)
        return row if row is not None and (row.status, row.attempt) == (jobs.RUNNING, attempt) else None

    async def change(self, row: Any, **values: Any) -> bool:
        """Write to a job, on the disk; False when this attempt runs no more."""
        async with self.database.transaction() as conn:
            return await jobs.change_job(conn, row.id, row.attempt, **values)

    async def model(self, submitted: dict[str, Any]) -> MediaModel:
        """The model that a job was begun at, from what its row says. Raises ProviderError."""
        config = (await self.book.current()).providers.get(submitted["provider_id"])
        if config is None:
            raise ProviderError(ErrorClass.CALLER, "the provider was removed or turned off")
        number = int(submitted["key_number"])
        if number > len(config.keys):
            raise ProviderError(ErrorClass.CREDENTIAL, "the key was removed")
        key = config.keys[number - 1] if number else ""
        return (await self._provider(config)).model(submitted["model"], key)

    async def route_settings(self, row: Any) -> dict[str, Any]:
        """The settings of the media route that a job was ordered over; {} when it was none."""
        if not row.route_id:
            return {}
        async with self.database.reading() as conn:
            route = await slugs.get_one(conn, media.MediaRoute, row.route_id)
        return dict(route.settings) if route is not None else {}

    async def scopes(self, submitted: dict[str, Any]) -> Scopes | None:
        """What rests when the model fails that a job was begun at; None when its provider is gone."""
        config = (await self.book.current()).providers.get(submitted["provider_id"])
        number = int(submitted["key_number"])
        if config is None or number > len(config.keys):
            return None
        return scopes_for(config, config.keys[number - 1] if number else "", submitted["model"])

    def folder_of(self, row: Any) -> Path:
        """Where the files of a job's attempt lie until they are stored."""
        folder = self.folder / f"{row.id}-{row.attempt}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    async def close(self) -> None:
        """Close all providers and the rests."""
        for _, provider in self._open.values():
            await provider.close()
        self._open.clear()
        await self.cooldown.close()

    async def _provider(self, config: ProviderConfig) -> MediaProvider:
        known = self._open.get(config.id)
        if known is not None and known[0] == config:
            return known[1]
        try:
            provider = open_media(config)
        except (KeyError, ValueError) as error:
            raise ProviderError(ErrorClass.CALLER, f"the provider cannot be used: {error}") from error
        self._open[config.id] = (config, provider)
        if known is not None:
            await known[1].close()
        return provider
