"""Which media models an instance may use, and for what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from db.media import MediaRoute as Row
from db.providers import all_providers
from db.slugs import all_of
from providers.media.cards import vendor_cards
from providers.media.registry import makes_media
from providers.media.types import Task

IMAGE, VIDEO = "image", "video"
DEFAULTS = {IMAGE: "images", VIDEO: "videos"}
OFF = "off"
ENGINE = "engine"
AUTO = "auto"


@dataclass(frozen=True, slots=True)
class MediaRoute:
    """A route of media models. `tasks` are what some of its candidates do; `providers` are those that its
    lines name; `queue` is where its jobs wait; `price` is the dearest of its known prices, in US dollars."""

    id: str
    makes: str
    candidates: tuple[str, ...]
    tasks: frozenset[Task]
    providers: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    price: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def queue(self) -> str:
        """gpu when an engine host is asked first, else cloud."""
        first = self.candidates[0].partition(":")[0] if self.candidates else ""
        return "gpu" if first in self.local else "cloud"


Routes = Mapping[str, MediaRoute]


async def media_routes(conn: AsyncConnection) -> dict[str, MediaRoute]:
    """Every media route by its id, without candidates whose provider is off or gone."""
    rows = await all_of(conn, Row)
    if not rows:
        return {}
    kinds = {row.id: row.kind for row in await all_providers(conn) if row.enabled and makes_media(row.kind)}
    return {row.id: _route(row, kinds) for row in rows}


def chosen(routes: Routes, config: Mapping[str, Any]) -> dict[str, MediaRoute]:
    """The routes of an instance by what they make: those that its configuration names, else those called
    images and videos; none where it says off."""
    found = {}
    for makes, default in DEFAULTS.items():
        route = routes.get(str(config.get(f"{makes}_route") or default))
        if route is not None and route.makes == makes and route.candidates:
            found[makes] = route
    return found


def _route(row: Any, kinds: Mapping[str, str]) -> MediaRoute:
    lines = tuple(line for line in row.candidates if line == AUTO or line.partition(":")[0] in kinds)
    named = list(dict.fromkeys(line.partition(":")[0] for line in lines if line != AUTO))
    providers = tuple(kinds) if AUTO in lines else tuple(named)
    tasks: set[Task] = set()
    price = 0.0
    for line in lines:
        found, dearest = _abilities(line, kinds, row.makes)
        tasks |= found
        price = max(price, dearest)
    local = tuple(one for one in providers if kinds[one] == ENGINE)
    return MediaRoute(row.id, row.makes, lines, frozenset(tasks), providers, local, price, dict(row.settings))


def _abilities(line: str, kinds: Mapping[str, str], makes: str) -> tuple[set[Task], float]:
    """What a line does, and what it costs at most. An engine host's models are asked when a job begins: until
    then it is taken to do all."""
    provider, _, model = line.partition(":")
    asked = [kinds[provider]] if provider in kinds else list(kinds.values())
    if ENGINE in asked or any(kind not in vendor_cards() for kind in asked):
        return {task for task in Task if task.makes == makes}, 0.0
    cards = [card for kind in asked for card in vendor_cards()[kind] if model in ("", AUTO, card.name)]
    tasks = {task for card in cards for task in card.tasks if task.makes == makes}
    return tasks or {task for task in Task if task.makes == makes}, max(
        ((card.price or 0.0) * _units(card.seconds, makes) for card in cards), default=0.0
    )


def _units(seconds: tuple[float, ...], makes: str) -> float:
    return max(seconds, default=5.0) if makes == VIDEO else 1.0
