"""From a route's lines ("provider:model", "provider:auto", "auto", "knowledge") to what can be called."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from core.routing.attempts import Skipped
from core.routing.eligibility import Demand, against, unsure
from core.routing.facts import Facts, facts_of, is_local, known_models
from core.routing.scopes import Scopes, scopes_of
from core.routing.spec import RouteSpec
from providers.catalog import UnknownKind, Vendor, find_vendor
from providers.prices import Price
from providers.types import ProviderConfig

KNOWLEDGE = "knowledge"
AUTO = "auto"
AUTO_COUNT = 3
MOST_SKIPPED = 50  # a row that says more is read by nobody


@dataclass(frozen=True, slots=True)
class Candidate:
    """One model at one provider with one key, number `key_number` of it (0: it needs none), from `line`."""

    config: ProviderConfig
    model: str
    key: str = field(repr=False)
    facts: Facts
    scopes: Scopes
    line: str = ""
    key_number: int = 0

    @property
    def name(self) -> str:
        """How people know it."""
        return f"{self.config.id}:{self.model}"

    @property
    def free(self) -> bool:
        """Whether it costs nothing."""
        return self.facts.free or self.facts.local

    @property
    def price(self) -> Price | None:
        """What it costs, None when nobody knows."""
        return self.facts.price

    @property
    def local(self) -> bool:
        """Whether what it is asked stays on the operator's machines."""
        return self.facts.local

    @property
    def abilities(self) -> frozenset[str]:
        """What it is known to be able to do: vision, tools, json, reasoning."""
        return self.facts.abilities


@dataclass(frozen=True, slots=True)
class Plan:
    """What may answer a request, in order, and what may not, with the reasons; `knowledge` when the route
    names it. `too_long` (tokens as estimated, the largest context) when no candidate can read it."""

    candidates: tuple[Candidate, ...]
    knowledge: bool
    skipped: tuple[Skipped, ...] = ()
    too_long: tuple[int, int] | None = None

    @property
    def over_limit(self) -> bool:
        """Whether it is a limit that leaves nobody to ask."""
        return not self.candidates and any(one.reason in ("limit", "paid") for one in self.skipped)


class Planner:
    """Expands a route for one request. `resting` tells of scopes, `spread` (any number) turns several keys
    evenly; one conversation's `affinity` keeps their order."""

    def __init__(
        self,
        spec: RouteSpec,
        demand: Demand,
        resting: Callable[[Scopes], float],
        *,
        affinity: str = "",
        spread: int = 0,
    ) -> None:
        self._spec = spec
        self._demand = demand
        self._resting = resting
        self._affinity = affinity
        self._spread = spread
        self._skipped: dict[Skipped, None] = {}
        self._largest = 0

    def plan(self) -> Plan:
        """What may answer; a model that two lines name stands where the first one does."""
        found: dict[str, Candidate] = {}
        for line in self._spec.candidates:
            for candidate in self._line(line):
                found.setdefault(candidate.scopes.route, candidate)
        knows = KNOWLEDGE in self._spec.candidates and not self._demand.allowance.stopped
        too_long = (self._demand.size, self._largest) if not found and self._largest else None
        return Plan(tuple(found.values()), knows, tuple(self._skipped)[:MOST_SKIPPED], too_long)

    def _line(self, line: str) -> list[Candidate]:
        if line == KNOWLEDGE:
            return []
        if line == AUTO:
            return self._auto(line, self._spec.providers, everywhere=True)
        provider_id, _, model = line.partition(":")
        config = next((one for one in self._spec.providers if one.id == provider_id), None)
        vendor = _vendor(config) if config else None
        if config is None or vendor is None or not model:
            self._skip(line, "disabled")
            return []
        if model == AUTO:
            return self._auto(line, (config,), everywhere=False)
        offer = _Offer(config, vendor, facts_of(config, vendor, model))
        return self._keyed(line, offer) if self._allowed(offer) else []

    def _auto(self, line: str, configs: Iterable[ProviderConfig], *, everywhere: bool) -> list[Candidate]:
        """The best three; over all vendors, then also the best of each other vendor: those may be well
        when the first three fail together."""
        offers = [
            offer for config in configs if (vendor := _vendor(config)) for offer in _offers(config, vendor)
        ]
        offers.sort(key=lambda offer: -offer.facts.quality)
        ranked = []
        for offer in offers:
            if self._allowed(offer):
                candidates = self._keyed(line, offer)
                left = min(self._resting(one.scopes) for one in candidates)
                ranked.append((left > 0, unsure(offer.facts, self._demand), -offer.facts.quality, candidates))
        ranked.sort(key=lambda one: one[:3])
        chosen: list[list[Candidate]] = []
        vendors: set[str] = set()
        while ranked:
            equals = [one for one in ranked if one[:3] == ranked[0][:3]]
            best = next((one for one in equals if one[3][0].config.id not in vendors), equals[0])
            ranked.remove(best)
            provider_id = best[3][0].config.id
            if len(chosen) < AUTO_COUNT or (everywhere and provider_id not in vendors):
                chosen.append(best[3])
                vendors.add(provider_id)
            if best[0]:
                self._skip(best[3][0].name, "resting")
        return [candidate for candidates in chosen for candidate in candidates]

    def _allowed(self, offer: "_Offer") -> bool:
        config, vendor, facts = offer.config, offer.vendor, offer.facts
        reason = against(facts, config.id, self._demand)
        if not config.keys and vendor.key_env and not config.base_url:
            reason = "no_key"
        if reason == "context":
            self._largest = max(self._largest, facts.context)
        if reason:
            self._skip(f"{config.id}:{facts.name}", reason)
        return not reason

    def _keyed(self, line: str, offer: "_Offer") -> list[Candidate]:
        config, name = offer.config, offer.facts.name
        first_token = self._spec.settings.get("first_token")
        if first_token:  # the route's patience, not the provider's
            config = replace(config, options={**config.options, "first_token": first_token})
        url = config.base_url or offer.vendor.base_url
        keys = list(enumerate(config.keys, 1)) or [(0, "")]
        found = [
            Candidate(config, name, key, offer.facts, scopes_of(config.id, url, key, name), line, number)
            for number, key in keys
        ]
        return found if len(found) == 1 else self._in_turn(found)

    def _in_turn(self, equals: list[Candidate]) -> list[Candidate]:
        if self._affinity:
            return sorted(equals, key=lambda one: _weight(self._affinity, one.scopes.key))
        first = self._spread % len(equals)
        return equals[first:] + equals[:first]

    def _skip(self, name: str, reason: str) -> None:
        self._skipped[Skipped(name, reason)] = None


@dataclass(frozen=True, slots=True)
class _Offer:
    """One model that a provider has."""

    config: ProviderConfig
    vendor: Vendor
    facts: Facts


def _offers(config: ProviderConfig, vendor: Vendor) -> list[_Offer]:
    """A provider's known models; one without any has a model called "auto", for which the server is asked."""
    unknown = Facts(AUTO, local=is_local(config, vendor))
    return [_Offer(config, vendor, facts) for facts in known_models(config, vendor) or [unknown]]


def _vendor(config: ProviderConfig) -> Vendor | None:
    try:
        vendor = find_vendor(config.kind)
    except UnknownKind:  # of another version's file; the panel says so
        return None
    return vendor if vendor.chat else None


def _weight(affinity: str, key: str) -> bytes:
    """Rendezvous hashing: a conversation keeps its key, and when that one rests, its second."""
    return hashlib.blake2b(f"{affinity} {key}".encode("utf-8", "replace"), digest_size=8).digest()
