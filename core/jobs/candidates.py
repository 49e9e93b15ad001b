"""Which media models may do a job, in the order in which they are asked."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from core.media.presets import Preparing
from core.routing.scopes import Scopes, scopes_of
from providers.errors import ProviderError
from providers.media.cards import BadMediaRequest, Card, fit
from providers.media.offers import base_url_of, cards_of
from providers.media.registry import makes_media
from providers.media.types import MediaRequest
from providers.types import ProviderConfig

AUTO = "auto"
AUTO_COUNT = 3
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One media model at one provider with one key, number `key_number` of it (0: it needs none).
    `request` is what it is asked, as its card has it."""

    config: ProviderConfig
    model: str
    key: str = field(repr=False)
    key_number: int
    card: Card | None
    request: MediaRequest

    @property
    def scopes(self) -> Scopes:
        """What rests when it fails."""
        return scopes_for(self.config, self.key, self.model)

    @property
    def name(self) -> str:
        """How people know it."""
        return f"{self.config.id}:{self.model}"

    @property
    def place(self) -> tuple[str, str, int]:
        """What tells it apart."""
        return self.config.id, self.model, self.key_number

    @property
    def price(self) -> float | None:
        """US dollars for the whole request; None when nobody knows."""
        if self.card is None or self.card.price is None:
            return None
        if self.request.task.makes == "video":
            return self.card.price * (self.request.seconds or (self.card.seconds or (5.0,))[0])
        return self.card.price * self.request.count


def scopes_for(config: ProviderConfig, key: str, model: str) -> Scopes:
    """What a media model depends on; a key or a server that rests for chat rests for media too."""
    return scopes_of(config.id, base_url_of(config), key, f"media/{model}")


@dataclass(frozen=True, slots=True)
class Candidates:
    """Those who may, and why others may not: by name, a BadMediaRequest or a word. `silent` are providers
    that do not say now what they can: an engine host that is being started."""

    eligible: tuple[Candidate, ...]
    refused: Mapping[str, BadMediaRequest | str]
    silent: frozenset[str] = frozenset()


async def _cards(config: ProviderConfig, silent: set[str]) -> tuple[Card, ...]:
    """A provider's cards; none when its server does not tell now, which is noted."""
    try:
        return await cards_of(config)
    except ProviderError as error:
        logger.info("%s does not say what it can: %s", config.id, error)
        silent.add(config.id)
        return ()


async def candidates_for(
    lines: Sequence[str],
    providers: Mapping[str, ProviderConfig],
    request: MediaRequest,
    prepare: Preparing,
) -> Candidates:
    """The candidates that a route's lines name ("provider:model", "provider:auto" or "auto"); `prepare` fills
    in what a model's preset says."""
    found: dict[tuple[str, str, int], Candidate] = {}
    refused: dict[str, BadMediaRequest | str] = {}
    silent: set[str] = set()
    for line in lines:
        for config, model, card in await _expand(line, providers, request, silent):
            try:
                prepared = prepare(model, request, card)
                fitted = fit(prepared, card) if card else prepared
            except BadMediaRequest as error:
                refused.setdefault(f"{config.id}:{model}", error)
                continue
            for number, key in enumerate(config.keys or ("",), 1 if config.keys else 0):
                one = Candidate(config, model, key, number, card, fitted)
                found.setdefault(one.place, one)
        if not found and ":" in line and line.partition(":")[0] not in providers:
            refused.setdefault(line, "disabled")
    return Candidates(tuple(found.values()), refused, frozenset(silent))


async def _expand(
    line: str, providers: Mapping[str, ProviderConfig], request: MediaRequest, silent: set[str]
) -> list[tuple[ProviderConfig, str, Card | None]]:
    provider_id, _, model = line.partition(":")
    if line == AUTO:
        return await _best([one for one in providers.values() if makes_media(one.kind)], request, silent)
    config = providers.get(provider_id)
    if config is None or not makes_media(config.kind):
        return []
    if model == AUTO:
        return await _best([config], request, silent)
    card = next((card for card in await _cards(config, silent) if card.name == model), None)
    return [(config, model, card)]


async def _best(
    configs: Iterable[ProviderConfig], request: MediaRequest, silent: set[str]
) -> list[tuple[ProviderConfig, str, Card | None]]:
    """The three best models that make this."""
    fitting = [
        (config, card.name, card)
        for config in configs
        for card in await _cards(config, silent)
        if request.task in card.tasks
    ]
    fitting.sort(key=lambda one: -one[2].quality)
    return [*fitting[:AUTO_COUNT]]
