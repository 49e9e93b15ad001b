"""From a route's lines ("provider:model", "provider:auto", "knowledge") to what can be called."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from core.routing.cooldown import Scopes, scopes_of
from core.routing.spec import RouteSpec
from providers.catalog import UnknownKind, Vendor, find_vendor
from providers.types import ChatRequest, ProviderConfig

KNOWLEDGE = "knowledge"
AUTO = "auto"
AUTO_COUNT = 3
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model at one provider with one key; `context` 0 is unknown."""

    config: ProviderConfig
    model: str
    key: str = field(repr=False)
    context: int
    scopes: Scopes


@dataclass(frozen=True, slots=True)
class Plan:
    """What may answer a request, in order; `knowledge` when the route names it."""

    candidates: tuple[Candidate, ...]
    knowledge: bool


def plan_of(spec: RouteSpec, request: ChatRequest) -> Plan:
    """Expand a route for a request. Lines that name no provider of it, or one without
    the key that it needs, are left out; so are models whose context is known to be too small,
    unless that leaves nothing."""
    candidates = tuple(candidate for line in spec.candidates for candidate in _expand(spec, line))
    size = sum(len(turn.text.encode("utf-8", "replace")) for turn in request.turns) // 4
    fitting = tuple(one for one in candidates if not one.context or size <= one.context)
    return Plan(fitting or candidates, KNOWLEDGE in spec.candidates)


def _expand(spec: RouteSpec, line: str) -> Iterator[Candidate]:
    if line == KNOWLEDGE:
        return
    provider_id, _, model = line.partition(":")
    config = next((one for one in spec.providers if one.id == provider_id), None)
    if config is None or not model:
        logger.warning("route %s: %r names no provider that is switched on", spec.id, line)
        return
    try:
        vendor = find_vendor(config.kind)
    except UnknownKind as error:
        logger.warning("provider %s: %s", config.id, error)
        return
    if not config.keys and vendor.key_env and not config.base_url:
        logger.warning("provider %s has no key", config.id)
        return
    for name in _models(vendor, model):
        for key in config.keys or ("",):
            scopes = scopes_of(config.id, config.base_url or vendor.base_url, key, name)
            yield Candidate(config, name, key, vendor.context(name), scopes)


def _models(vendor: Vendor, model: str) -> list[str]:
    """A model's name, or for "auto" the best known ones; a vendor without any keeps "auto", which
    the router resolves by asking the server."""
    best = [known.name for known in vendor.best(AUTO_COUNT)]
    return best if model == AUTO and best else [model]
