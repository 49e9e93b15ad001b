"""What programs may name as the model of a picture or video: a media route, or a provider's model."""

import asyncio
import logging
from dataclasses import dataclass

from admin.gateway.errors import LONGEST_NAME, ApiError
from admin.gateway.images_errors import no_media_model
from core.gateway_keys import GatewayKey
from core.media.routes import AUTO, DEFAULTS, ENGINE, IMAGE, VIDEO, MediaRoute, media_routes
from core.routing.book import Book, RouteBook
from db.database import Database
from providers.errors import ProviderError
from providers.media.cards import Card
from providers.media.offers import cards_of
from providers.media.registry import makes_media
from providers.media.types import Task
from providers.types import ProviderConfig

ASK_WITHIN = 3.0  # seconds for an engine host to say what it has
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Named:
    """Something that may be named, and the tasks that it does."""

    name: str
    tasks: tuple[Task, ...]


class Names:
    """Finds what a caller names; `key` None is an operator, who may name everything."""

    def __init__(self, database: Database, book: RouteBook) -> None:
        self._database = database
        self._book = book

    async def find(self, key: GatewayKey | None, name: str, makes: str = "") -> MediaRoute:
        """The route that is meant; "" is the usual one for what is to be made. Raises ApiError."""
        name = name or DEFAULTS[makes or IMAGE]
        async with self._database.reading() as conn:
            routes = await media_routes(conn)
        route = routes.get(name)
        if route is not None and not _may(key, name):
            route = None
        elif route is None and (name == AUTO or ":" in name) and name.isprintable():
            route = await self._model(key, name[:LONGEST_NAME], makes)
        if route is None:
            raise no_media_model(name, [one.name for one in await self.listed(key)])
        if makes and route.makes != makes:
            text = f"'{name}' makes {route.makes}s, not {makes}s."
            raise ApiError(400, text, param="model", code="unsupported")
        if not route.candidates:
            raise ApiError(503, f"No model of '{name}' can be asked: see it in the panel.", "server_error",
                           "model", "all_models_failed")  # fmt: skip
        return route

    async def listed(self, key: GatewayKey | None) -> list[Named]:
        """Everything that the caller may name: routes first, then models as far as they are known."""
        async with self._database.reading() as conn:
            routes = await media_routes(conn)
        found = [Named(one.id, tuple(sorted(one.tasks))) for one in routes.values() if _may(key, one.id)]
        if key is not None and not key.models:
            return found
        for config in _providers(await self._book.current()):
            found += [Named(f"{config.id}:{card.name}", card.tasks) for card in await known_cards(config)]
        return found

    async def _model(self, key: GatewayKey | None, name: str, makes: str) -> MediaRoute | None:
        """A route of one line; None for a provider or model that is not there."""
        if key is not None and not key.models:
            usable = ", ".join([one.name for one in await self.listed(key)][:10]) or "none is there"
            text = f"This key may not name models itself. Its routes: {usable}."
            raise ApiError(403, text, "permission_error", "model", "model_not_allowed")
        provider, _, model = name.partition(":")
        configs = [
            one for one in _providers(await self._book.current()) if name == AUTO or one.id == provider
        ]
        if not configs:
            return None
        cards = [card for config in configs for card in await known_cards(config)]
        meant = [card for card in cards if name == AUTO or model in (AUTO, card.name)]
        if cards and not meant:
            return None
        tasks = {task for card in meant for task in card.tasks} or set(Task)
        makes = makes or (IMAGE if any(task.makes == IMAGE for task in tasks) else VIDEO)
        local = tuple(one.id for one in configs if one.kind == ENGINE)
        doing = frozenset(task for task in tasks if task.makes == makes)
        return MediaRoute("", makes, (name,), doing, tuple(one.id for one in configs), local)


async def known_cards(config: ProviderConfig) -> tuple[Card, ...]:
    """A provider's models; none of an engine host that does not answer now."""
    try:
        async with asyncio.timeout(ASK_WITHIN):
            return await cards_of(config)
    except (ProviderError, TimeoutError) as error:
        logger.info("%s does not say what it can: %s", config.id, error)
        return ()


def _may(key: GatewayKey | None, route: str) -> bool:
    return key is None or not key.routes or route in key.routes


def _providers(book: Book) -> list[ProviderConfig]:
    return [one for one in book.providers.values() if makes_media(one.kind)]
