"""How a route's candidates are now, for panel and API."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CandidateState:
    """One model at one provider with its key number `key_number` (from 1; 0: it needs none), from the
    route's `line`. `state` is healthy, cooling, trial (one request or probe tries it now) or off (never
    asked; `skipped` says why). `until` (UTC epoch seconds), `error_class`, `failures` in a row and `scope`
    tell of a rest."""

    line: str
    provider_id: str
    model: str
    key_number: int
    state: str
    until: float | None = None
    error_class: str = ""
    failures: int = 0
    scope: str = ""
    skipped: str = ""
