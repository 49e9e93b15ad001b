"""How a route's candidates are now, for panel and API."""

from dataclasses import dataclass

from core.routing.candidates import Candidate, Plan
from core.routing.cooldown import Cooldown


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


def states_of(plan: Plan, cooldown: Cooldown) -> list[CandidateState]:
    """The state of all that a plan names, those that are never asked last."""
    found = [_state(candidate, cooldown) for candidate in plan.candidates]
    for one in plan.skipped:
        provider_id, _, model = one.candidate.partition(":")
        found.append(CandidateState(one.candidate, provider_id, model, 0, "off", skipped=one.reason))
    return found


def _state(candidate: Candidate, cooldown: Cooldown) -> CandidateState:
    provider_id, number = candidate.config.id, candidate.key_number
    known = cooldown.known(candidate.scopes)
    if not known:
        return CandidateState(candidate.line, provider_id, candidate.model, number, "healthy")
    now = cooldown.clock.now()
    scope, rest = max(known.items(), key=lambda one: max(one[1].until, one[1].trial_until))
    if rest.trial_until > now:
        state, until = "trial", rest.trial_until
    else:
        state, until = ("cooling", rest.until) if rest.until > now else ("healthy", 0.0)
    return CandidateState(
        candidate.line, provider_id, candidate.model, number, state,
        until=cooldown.clock.to_wall(until) if until else None,
        error_class=rest.error_class, failures=rest.failures, scope=scope,
    )  # fmt: skip
