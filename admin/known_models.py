"""Models: what every enabled provider is known to have, and how each is now."""

from pydantic import BaseModel

from admin.services import Services
from core.routing.book import Book
from core.routing.facts import Facts
from core.routing.facts import known_models as models_of
from core.routing.states import CandidateState
from providers.catalog import vendors

WORST_LAST = ("healthy", "trial", "cooling", "off")


class Model(BaseModel):
    """A model at a provider. Prices are US dollars per million tokens; null is unknown. `state` is that
    of the key that fares best; `until` is in UTC epoch seconds."""

    name: str
    provider: str
    vendor: str
    quality: int | None
    context: int | None
    price_in: float | None
    price_out: float | None
    vision: bool | None
    tools: bool | None
    json_mode: bool | None
    reasoning: bool | None
    free: bool
    local: bool
    state: str
    until: float | None
    reason: str


async def known_models(parts: Services, provider: str = "", vendor: str = "") -> list[Model]:
    """The known models of enabled providers, best first at each provider."""
    book = await parts.book.current()
    found: list[Model] = []
    for config in book.providers.values():
        known = vendors().get(config.kind)
        if known is None or not known.chat:
            continue
        if provider not in ("", config.id) or vendor not in ("", config.kind):
            continue
        for facts in sorted(models_of(config, known), key=lambda one: -one.quality):
            state = await _state(parts, book, f"{config.id}:{facts.name}")
            found.append(_model(facts, config.id, config.kind, state))
    return found


async def _state(parts: Services, book: Book, name: str) -> CandidateState | None:
    spec = book.find(name)
    states = await parts.router.states(spec) if spec is not None else []
    return min(states, key=lambda one: WORST_LAST.index(one.state), default=None)


def _model(facts: Facts, provider_id: str, kind: str, state: CandidateState | None) -> Model:
    price = facts.price
    return Model(
        name=facts.name, provider=provider_id, vendor=kind,
        quality=facts.quality or None, context=facts.context or None,
        price_in=price.input if price else None, price_out=price.output if price else None,
        vision=facts.vision, tools=facts.tools, json_mode=facts.json, reasoning=facts.reasoning,
        free=facts.free, local=facts.local, state=state.state if state else "off",
        until=state.until if state else None,
        reason=(state.skipped or state.error_class) if state else "",
    )  # fmt: skip
