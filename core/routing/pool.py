"""Open providers, shared by the answers of one process and closed when their configuration changes."""

import asyncio
import time
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


@dataclass(slots=True)
class Lent:
    """A candidate's model and its name, while an answer takes."""

    name: str
    model: ChatModel
    entry: _Open


class ProviderPool:
    """Providers by id, one for each patience that routes have with them. A replaced one is closed when its
    last answer has ended."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, object], _Open] = {}

    async def lend(self, candidate: Candidate) -> Lent:
        """A candidate's model, to be given back. Raises ProviderError."""
        entry = await self._entry(candidate.config)
        entry.users += 1
        lent = False
        try:
            name = candidate.model
            if name == AUTO:
                name = await self._first_listed(entry, candidate.key)
            model = entry.provider.model(name, candidate.key)
            lent = True
            return Lent(name, model, entry)
        finally:
            if not lent:
                await self._leave(entry)

    async def give_back(self, lent: Lent) -> None:
        """An answer has ended."""
        await self._leave(lent.entry)

    async def goes_on(self, candidate: Candidate) -> bool:
        """Whether a candidate goes on with an answer that stands as the request's last turn."""
        if candidate.model == AUTO:
            return False
        try:
            entry = await self._entry(candidate.config)
        except ProviderError:  # it cannot be opened, and when it is asked it says why
            return False
        return entry.provider.model(candidate.model, candidate.key).prefill

    async def list_models(self, candidate: Candidate) -> list[str]:
        """What a candidate's server lists with its key: free of charge. Raises ProviderError."""
        entry = await self._entry(candidate.config)
        entry.users += 1
        try:
            return await entry.provider.models(candidate.key)
        finally:
            await self._leave(entry)

    async def close(self) -> None:
        """Close all providers."""
        entries, self._open = list(self._open.values()), {}
        for entry in entries:
            await entry.provider.close()

    async def _leave(self, entry: _Open) -> None:
        entry.users -= 1
        if entry.retired and not entry.users:
            await entry.provider.close()

    async def _entry(self, config: ProviderConfig) -> _Open:
        config = replace(config, keys=())  # keys come with each model
        place = (config.id, config.options.get("first_token"))
        entry = self._open.get(place)
        if entry is not None and entry.config == config:
            return entry
        try:
            if not is_loaded(config.kind):
                await asyncio.to_thread(preload, (config.kind,))  # the loop goes on meanwhile
                return await self._entry(config)
            fresh = _Open(config, open_provider(config))
        except ValueError as error:
            raise ProviderError(ErrorClass.CALLER, str(error)) from error
        self._open[place] = fresh
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
