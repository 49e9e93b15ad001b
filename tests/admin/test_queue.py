"""The media queue and the engines in the panel."""

from core.jobs.order import Order, Wish
from core.jobs.submit import submit
from db import jobs
from providers.media.types import Task
from tests.admin.panel import Panel


async def order(panel: Panel, prompt: str) -> str:
    wish = Wish(Task.TEXT_TO_IMAGE, prompt)
    return str((await submit(panel.database, Order(wish, ("engine:demo",), "api"))).id)


async def test_jobs_are_listed_moved_cancelled_and_tried_again(owned: Panel) -> None:
    assert "Nothing here" in (await owned.client.get("/queue")).text
    first, second = await order(owned, "a harbour"), await order(owned, "a <b>fox</b>")
    page = (await owned.client.get("/queue")).text
    assert page.index("a harbour") < page.index("a &lt;b&gt;fox")
    assert "1 before this one" in page and "next in the queue" in page
    await owned.post(f"/queue/{second}/front", {})
    part = (await owned.client.get("/queue?part=1")).text
    assert "<html" not in part and part.index("fox") < part.index("a harbour")
    await owned.post(f"/queue/{first}/cancel", {})
    assert "cancelled" in (await owned.client.get("/queue?status=cancelled")).text
    await owned.post(f"/queue/{first}/retry", {})
    async with owned.database.reading() as conn:
        row = await jobs.get_job(conn, first)
    assert row is not None and (row.status, row.attempt) == ("waiting", 2)
    assert (await owned.client.get(f"/queue/{first}/preview")).status_code == 404
    assert (await owned.post("/queue/nobody/cancel", {})).status_code == 404


async def test_a_job_that_failed_says_why(owned: Panel) -> None:
    job_id = await order(owned, "x")
    async with owned.database.transaction() as conn:
        row = await jobs.claim_next(conn, ["cloud"])
        assert row is not None and row.id == job_id
        tried = [{"provider_id": "engine", "model": "demo", "error_class": "connect", "error": "away"}]
        values = {"reason": "unavailable", "tried": tried}
        await jobs.end_job(conn, job_id, row.attempt, jobs.FAILED, **values)
    page = (await owned.client.get("/queue")).text
    assert "nobody who can was available" in page and "engine:demo" in page and "away" in page
