"""What a request asks of a model, and why a model may not be asked; decided before any call."""

import json
from dataclasses import dataclass

from core.routing.allowance import Allowance
from core.routing.facts import Facts
from core.routing.spec import RouteSpec
from providers.types import ChatRequest

IMAGE_TOKENS = {"low": 85, "": 1000, "auto": 1000, "high": 1500}


@dataclass(frozen=True, slots=True)
class Demand:
    """`size` is an estimate in tokens; the others say what a model must be able to do, or must not be."""

    size: int
    images: bool
    tools: bool
    json: bool
    local_only: bool
    allowance: Allowance


def demand_of(spec: RouteSpec, request: ChatRequest, allowance: Allowance) -> Demand:
    """What a request to a route asks for."""
    return Demand(
        size=estimate(request),
        images=any(not image.optional for turn in request.turns for image in turn.images),
        tools=bool(request.tools) and not request.tools_optional,
        json=request.output is not None and request.output.get("type") != "text",
        local_only=bool(spec.settings.get("local_only")),
        allowance=allowance,
    )


def estimate(request: ChatRequest) -> int:
    """About how many tokens a request has: four bytes of text each, pictures by their detail."""
    letters = pictures = 0
    for turn in request.turns:
        letters += _bytes(turn.text) + sum(len(call.name) + len(call.arguments) for call in turn.calls)
        pictures += sum(IMAGE_TOKENS.get(image.detail, IMAGE_TOKENS[""]) for image in turn.images)
    if request.tools:
        letters += _bytes(json.dumps(request.tools, ensure_ascii=False, default=str))
    return letters // 4 + pictures


def against(facts: Facts, provider_id: str, demand: Demand) -> str:
    """Why a model may not be asked (a reason of attempts.Skipped), or "". What nobody knows is allowed."""
    allowance = demand.allowance
    if allowance.stopped or provider_id in allowance.exhausted:
        return "limit"
    if allowance.free_only and not (facts.free or facts.local):
        return "paid"
    if demand.local_only and not facts.local:
        return "local_only"
    if facts.context and demand.size > facts.context:
        return "context"
    for wanted, able, reason in (
        (demand.images, facts.vision, "images"),
        (demand.tools, facts.tools, "tools"),
        (demand.json, facts.json, "json"),
    ):
        if wanted and able is False:
            return reason
    return ""


def unsure(facts: Facts, demand: Demand) -> bool:
    """Whether nobody knows if the model can do what is asked."""
    return (
        (demand.images and facts.vision is None)
        or (demand.tools and facts.tools is None)
        or (demand.json and facts.json is None)
    )


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))
