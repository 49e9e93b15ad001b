"""What an answer is expected to cost, before it is known who makes it."""

from core.routing.facts import Facts, facts_of, known_models
from core.routing.spec import RouteSpec
from providers.catalog import UnknownKind, find_vendor
from providers.types import ProviderConfig

AUTO = "auto"
AUTO_COUNT = 3


def dearest(spec: RouteSpec, given: int, made: int) -> float:
    """US dollars for so many tokens of question and answer by the dearest model that a route may ask; models
    of unknown price count as nothing."""
    return max((_cost(facts, given, made) for facts in _models(spec)), default=0.0)


def _cost(facts: Facts, given: int, made: int) -> float:
    if facts.free or facts.local or facts.price is None:
        return 0.0
    return facts.price.cost(given, made, 0)


def _models(spec: RouteSpec) -> list[Facts]:
    configs = {config.id: config for config in spec.providers}
    found: list[Facts] = []
    for line in spec.candidates:
        provider_id, _, model = line.partition(":")
        named = (
            list(configs.values())
            if line == AUTO
            else [configs[provider_id]]
            if provider_id in configs
            else []
        )
        for config in named:
            found += _of(config, model or AUTO)
    return found


def _of(config: ProviderConfig, model: str) -> list[Facts]:
    try:
        vendor = find_vendor(config.kind)
    except UnknownKind:  # of another version's file; the panel says so
        return []
    if not vendor.chat:
        return []
    if model == AUTO:
        return sorted(known_models(config, vendor), key=lambda one: -one.quality)[:AUTO_COUNT]
    return [facts_of(config, vendor, model)]
