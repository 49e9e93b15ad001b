"""The first page, and the demo page's questions."""

from core.first_studio import add_studio
from tests.admin.panel import Panel


async def test_this_machines_own_painter_is_no_provider_that_somebody_added(owned: Panel) -> None:
    async def seal(aad: str, text: str) -> str:
        return f"sealed:{aad}"

    await add_studio(owned.database, seal, 8003)
    page = (await owned.client.get("/welcome")).text
    assert "Add a provider" in page and ">Done<" not in page


async def test_the_demo_page_offers_to_draw(owned: Panel) -> None:
    for language, words in (("en", "Draw me a harbour"), ("ru", "Нарисуй гавань")):
        owned.client.cookies.set("language", language)
        assert words in (await owned.client.get("/demo")).text
