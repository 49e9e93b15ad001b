"""A route as the router needs it: its lines, its settings, and the providers that its lines name."""

from dataclasses import dataclass, field
from typing import Any

from providers.types import ProviderConfig


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """`candidates` are "provider:model", "provider:auto", "auto" or "knowledge", in order; `settings` are
    those of the route's row (core/configuration/route_configs.py). `id` is None for a route that was made
    for one request ("groq:llama-3.3-70b-versatile")."""

    id: str | None = None
    candidates: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    providers: tuple[ProviderConfig, ...] = ()
