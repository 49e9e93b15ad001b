"""The room of models: what is known of them, found by what people look for."""

import asyncio

from core.configuration.provider_configs import NewProvider
from core.routing.book import FRESH_FOR
from tests.admin.panel import Panel
from tests.core.configuration_fixtures import configuration_of


async def _filled(panel: Panel) -> None:
    own = [{"name": "house", "quality": 99, "context": 8000, "vision": True, "price_in": 1, "price_out": 2}]
    for new in (
        NewProvider(id="groq", kind="groq", keys=["gsk-0123456789abcdef"]),
        NewProvider(id="mine", kind="openai-compatible", base_url="https://models.example.com", models=own),
    ):
        await configuration_of(panel.database).providers.create("ann", new)
    await asyncio.sleep(FRESH_FOR + 0.1)


async def test_models_are_shown_sorted_and_found(owned: Panel) -> None:
    empty = (await owned.client.get("/models")).text
    assert "No models yet" in empty
    await _filled(owned)
    page = (await owned.client.get("/models")).text
    assert page.index("<b>house</b>") < page.index("<b>openai/gpt-oss-120b</b>")
    assert "/playground?model=mine%3Ahouse" in page and "$1 / $2" in page and "sees pictures" in page
    assert "house" not in (await owned.client.get("/models?provider=groq")).text.split('id="models"')[1]
    seeing = (await owned.client.get("/models?able=vision")).text.split('id="models"')[1]
    assert "house" in seeing and "gpt-oss" not in seeing
    free = (await owned.client.get("/models?free=on&q=OSS")).text.split('id="models"')[1]
    assert "gpt-oss-20b" in free and "house" not in free
    assert (
        "Ничего похожего"
        in (
            await owned.client.get("/models?q=%00nothing&able=x&sort=y", headers={"accept-language": "ru"})
        ).text
    )
