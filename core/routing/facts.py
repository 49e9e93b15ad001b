"""What is known of a provider's models: the catalogue's entries, replaced by what the operator says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from providers.catalog import Vendor
from providers.chat.limits import is_private
from providers.prices import Price, price_of
from providers.types import ProviderConfig

ALWAYS_FREE = ":free"  # the end of a name by which aggregators mark models that cost nothing
_ABILITIES = ("vision", "tools", "json", "reasoning")
_NEAR = (".local", ".lan", ".internal", ".home.arpa")


@dataclass(frozen=True, slots=True)
class Facts:
    """A model as a candidate. None is unknown, and so is a `context` of 0; `free`: nothing is paid for it;
    `local`: what it is asked stays on machines of one's own; `price` None: nobody knows it."""

    name: str
    quality: int = 0
    context: int = 0
    vision: bool | None = None
    tools: bool | None = None
    json: bool | None = None
    reasoning: bool | None = None
    free: bool = False
    local: bool = False
    price: Price | None = None

    @property
    def abilities(self) -> frozenset[str]:
        """Those that the model is known to have."""
        return frozenset(name for name in _ABILITIES if getattr(self, name))


def facts_of(config: ProviderConfig, vendor: Vendor, name: str) -> Facts:
    """What is known of one model."""
    own = next((entry for entry in _own(config) if entry["name"] == name), {})
    return _facts(config, vendor, name, own)


def known_models(config: ProviderConfig, vendor: Vendor) -> list[Facts]:
    """Every known chat model of a provider."""
    own = {entry["name"]: entry for entry in _own(config)}
    names = dict.fromkeys((*(model.name for model in vendor.models), *own))
    return [_facts(config, vendor, name, own.get(name, {})) for name in names]


def is_local(config: ProviderConfig, vendor: Vendor) -> bool:
    """Whether a provider's server is the operator's own: said so, or by its address."""
    if config.options.get("private"):
        return True
    url = config.base_url or vendor.base_url
    host = urlsplit(url).hostname or ""
    near = is_private(url) or host.endswith(_NEAR)
    return near or (vendor.local and (not url or "." not in host))


def _facts(config: ProviderConfig, vendor: Vendor, name: str, own: Mapping[str, Any]) -> Facts:
    known = vendor.model(name)
    local = is_local(config, vendor)
    values: dict[str, Any] = {}
    for field in ("quality", "context", *_ABILITIES, "free"):
        value = own.get(field)
        if value is None and known is not None:
            value = getattr(known, field)
        if value is not None:
            values[field] = value
    if name.endswith(ALWAYS_FREE) and "free" not in own:
        values["free"] = True
    elif config.options.get("billed") and "free" not in own:
        values["free"] = False
    return Facts(name, local=local, price=_price(own) or price_of(config.kind, name), **values)


def _price(own: Mapping[str, Any]) -> Price | None:
    given, made = own.get("price_in"), own.get("price_out")
    return None if given is None or made is None else Price(float(given), float(made))


def _own(config: ProviderConfig) -> Iterable[Mapping[str, Any]]:
    return config.options.get("models") or ()
