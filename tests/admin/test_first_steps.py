"""The first page, and the demo page's questions."""

import re

from core.first_studio import add_studio
from db import jobs
from tests.admin.panel import Panel
from tests.admin.test_queue import order


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


async def test_the_dashboard_counts_pictures_and_videos_of_today(owned: Panel) -> None:
    assert "none failed" in (await owned.client.get("/")).text
    done, failed, old, _waiting = [await order(owned, f"a harbour {number}") for number in range(4)]
    async with owned.database.transaction() as conn:
        for job_id, values in (
            (done, {"status": "done"}),
            (failed, {"status": "failed"}),
            (old, {"status": "done", "created_at": 1.0}),
        ):
            await conn.execute(jobs.JOB.update().where(jobs.JOB.c.id == job_id).values(**values))
    page = (await owned.client.get("/")).text
    card = page[page.index('id="media"') : page.index('id="fleet-title"')]
    words = " ".join(re.sub(r"<[^>]+>", " ", card).split())
    assert "1 today" in words and "1 waiting" in words and "1 failed" in words
