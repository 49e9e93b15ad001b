"""The room of routes: a candidate rests when nobody of its line can be asked."""

import asyncio
import time

from core.configuration.provider_configs import NewProvider
from core.configuration.route_configs import NewRoute
from core.routing.book import FRESH_FOR
from core.routing.scopes import scopes_of
from db.cooldowns import CooldownFile, Rest
from tests.admin.panel import Panel
from tests.core.configuration_fixtures import configuration_of

KEYS = ["gsk-0123456789abcdef", "gsk-fedcba9876543210"]
URL = "https://models.example.com/v1"
BADGE = "rests until"


async def _filled(panel: Panel) -> None:
    configuration = configuration_of(panel.database)
    await configuration.providers.create(
        "ann", NewProvider(id="mine", kind="openai-compatible", base_url=URL, keys=KEYS)
    )
    panel.orchestrator.keys["mine"] = KEYS
    await configuration.routes.create("ann", NewRoute(id="r", candidates=["mine:x", "mine:y", "knowledge"]))
    await asyncio.sleep(FRESH_FOR + 0.1)


async def _rest(panel: Panel, key: str, seconds: float) -> None:
    """One model rests for one key; the panel hears of it within a second."""
    now = time.time()
    store = CooldownFile(panel.home / "cooldown.db")
    scope = scopes_of("mine", URL, key, "x").key_model
    await store.update(scope, lambda _: Rest("rate_limit", 1, now + seconds, now))
    await store.close()
    await asyncio.sleep(1.1)


async def test_a_line_rests_only_when_all_its_keys_do(owned: Panel) -> None:
    await _filled(owned)
    await _rest(owned, KEYS[0], 900)
    page = (await owned.client.get("/routes/r")).text
    assert BADGE not in page and "mine:x #2" in page
    assert page.count("takes no more requests right now") == 1  # of the one key, in the card of states
    assert "badge warn" not in (await owned.client.get("/routes")).text
    await _rest(owned, KEYS[1], 600)
    page = (await owned.client.get("/routes/r")).text
    assert page.count(BADGE) == 1
    assert page.index('value="mine:x"') < page.index(BADGE) < page.index('value="mine:y"')
    assert (await owned.client.get("/routes")).text.count("badge warn") == 1


async def test_what_is_not_asked_does_not_rest(owned: Panel) -> None:
    await _filled(owned)
    form = {"candidates": ["mine:x", "knowledge"], "local_only": "true"}
    assert (await owned.post("/routes/r", form)).status_code == 303
    await asyncio.sleep(FRESH_FOR + 0.1)
    for key in KEYS:
        await _rest(owned, key, 900)
    page = (await owned.client.get("/routes/r")).text
    assert BADGE not in page and "is not on this machine" in page
