"""Reasoning leaves only where a route shows it, or where who names a model asks for it."""

from typing import Any

from tests.fakes.llm import Healthy
from tests.gateway.conftest import Site

THOUGHTS = (Healthy("Yes.", thinking="I wonder"), Healthy("<think>I wonder</think>Yes.", chunks=9))


async def answers(site: Site, model: str, **more: Any) -> list[tuple[str | None, str | None]]:
    """Reasoning and text: streamed and whole, of a field of its own and inline."""
    found = []
    for step in THOUGHTS:
        site.vendor.script("model-a", step)
        stream = await site.ask(model, stream=True, **more)
        deltas = [choice["delta"] for event in stream.events[:-1] for choice in event["choices"]]
        thoughts = "".join(delta.get("reasoning_content") or "" for delta in deltas)
        found.append((thoughts or None, stream.text))
    site.vendor.script("model-a", THOUGHTS[1])
    message = (await site.ask(model, **more)).json["choices"][0]["message"]
    return [*found, (message.get("reasoning_content"), message["content"])]


async def test_it_is_hidden(site: Site) -> None:
    assert await answers(site, "main") == [(None, "Yes.")] * 3
    assert await answers(site, "main", include_reasoning=True) == [(None, "Yes.")] * 3
    assert await answers(site, "one:model-a") == [(None, "Yes.")] * 3


async def test_it_is_shown(site: Site) -> None:
    assert await answers(site, "one:model-a", include_reasoning=True) == [("I wonder", "Yes.")] * 3
    await site.set_route("open", ["one:model-a"], show_reasoning=True)
    assert await answers(site, "open") == [("I wonder", "Yes.")] * 3
