"""Open providers, shared by the answers of one process and closed when their configuration changes."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from core.routing.candidates import AUTO, Candidate
from providers.errors import ErrorClass, ProviderError
from providers.registry import is_loaded, open_provider, preload
from providers.types import ChatModel, Provider, ProviderConfig

LISTED_FOR = 300.0  # seconds that a server's own list of models is believed


@dataclass(slots=True)
class _Open:
    config: ProviderConfig
    provider: Provider
    users: int = 0
    retired: bool = False
    listed: tuple[float, list[str]] = field(default_factory=lambda: (float("-inf"), []))


class ProviderPool:
    """Providers by id. A replaced one is closed when its last answer has ended."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}

    @asynccontextmanager
    async def model(self, candidate: Candidate) -> AsyncIterator[tuple[str, ChatModel]]:
        """A candidate's model and its name, while the answer takes. Raises ProviderError."""
        entry = await self._entry(candidate.config)
        entry.users += 1
        try:
            name = candidate.model
            if name == AUTO:
                name = await self._first_listed(entry, candidate.key)
            yield name, entry.provider.model(name, candidate.key)
        finally:
            entry.users -= 1
            if entry.retired and not entry.users:
                await entry.provider.close()

    async def close(self) -> None:
        """Close all providers."""
        entries, self._open = list(self._open.values()), {}
        for entry in entries:
            await entry.provider.close()

    async def _entry(self, config: ProviderConfig) -> _Open:
        config = replace(config, keys=())  # keys come with each model
        entry = self._open.get(config.id)
        if entry is not None and entry.config == config:
            return entry
        try:
            if not is_loaded(config.kind):
                await asyncio.to_thread(preload, (config.kind,))  # the loop goes on meanwhile
                return await self._entry(config)
            fresh = _Open(config, open_provider(config))
        except ValueError as error:
            raise ProviderError(ErrorClass.CALLER, str(error)) from error
        self._open[config.id] = fresh
        if entry is not None:
            entry.retired = True
            if not entry.users:
                await entry.provider.close()
        return fresh

    async def _first_listed(self, entry: _Open, key: str) -> str:
        """The first chat model that a server without catalogue entries has loaded."""
        read_at, names = entry.listed
        if time.monotonic() - read_at > LISTED_FOR or not names:
            names = [name for name in await entry.provider.models(key) if "embed" not in name.lower()]
            entry.listed = (time.monotonic(), names)
        if not names:
            raise ProviderError(ErrorClass.MODEL_GONE, "the server lists no model")
        return names[0]
