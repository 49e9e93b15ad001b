"""The media queue in the panel."""

from typing import Any

from core.configuration.configs import NewWidget
from core.configuration.service import Configuration
from core.jobs.order import Order, Source, Wish
from core.jobs.submit import submit
from core.media.store import Store
from db import job_previews, jobs
from db.channels import all_channels
from db.operators import recent_audit
from providers.media.types import Task
from tests.admin.panel import Panel
from tests.core.media.made import job, kept, picture


async def order(panel: Panel, prompt: str, task: Task = Task.TEXT_TO_IMAGE, **more: Any) -> str:
    wish = Wish(task, prompt, **more.pop("wish", {}))
    placed = {"source": "api", **more}
    return str((await submit(panel.database, Order(wish, ("engine:demo",), **placed))).id)


async def audited(panel: Panel) -> list[str]:
    async with panel.database.reading() as conn:
        rows = await recent_audit(conn)
    return [f"{row.action} {row.target}" for row in rows[::-1] if row.action.startswith("job.")]


async def test_jobs_are_listed_moved_cancelled_and_tried_again(owned: Panel) -> None:
    assert "Nothing was ordered yet" in (await owned.client.get("/queue")).text
    first, second = await order(owned, "a harbour"), await order(owned, "a <b>fox</b>")
    page = (await owned.client.get("/queue")).text
    assert page.index("a harbour") < page.index("a &lt;b&gt;fox")
    assert "1 before this one" in page and "next in the queue" in page
    await owned.post(f"/queue/{second}/front", {})
    part = (await owned.client.get("/queue?part=1")).text
    assert "<html" not in part and part.index("fox") < part.index("a harbour")
    await owned.post(f"/queue/{first}/cancel", {})
    assert "a harbour" in (await owned.client.get("/queue?status=cancelled")).text
    late = await owned.post(f"/queue/{first}/front", {})
    assert late.headers["location"] == f"/queue/{first}?done=late"
    await owned.post(f"/queue/{first}/retry", {})
    async with owned.database.reading() as conn:
        row = await jobs.get_job(conn, first)
    assert row is not None and (row.status, row.attempt) == ("waiting", 2)
    assert await audited(owned) == [f"job.front {second}", f"job.cancel {first}", f"job.retry {first}"]
    assert (await owned.client.get(f"/queue/{first}/preview")).status_code == 404
    assert (await owned.post("/queue/nobody/cancel", {})).status_code == 404


async def test_what_is_looked_for_stands_in_the_address(owned: Panel) -> None:
    async def seal(aad: str, text: str) -> str:
        return f"sealed:{aad}"

    configuration = Configuration(owned.database, seal, owned.orchestrator.reconcile)
    await configuration.widgets.create("ann", NewWidget(id="shop", name="Shop"))
    async with owned.database.reading() as conn:
        [channel] = await all_channels(conn)
    await order(owned, "waves", Task.TEXT_TO_VIDEO, source="chat", channel_id=channel.id)
    await order(owned, "harbour", source="chat", channel_id=channel.id)
    await order(owned, "fox", source="mcp")

    async def found(address: str) -> set[str]:
        page = (await owned.client.get(f"/queue?part=1&{address}")).text
        return {name for name in ("waves", "harbour", "fox") if name in page}

    assert await found("makes=video") == {"waves"}
    assert await found("instance=widgets/shop") == {"waves", "harbour"}
    assert await found("source=mcp&status=waiting") == {"fox"}
    assert await found("instance=widgets/shop&makes=image&source=chat&status=waiting") == {"harbour"}
    assert await found("source=nonsense&status=%3Cb%3E") == {"waves", "harbour", "fox"}
    page = (await owned.client.get("/queue?makes=video&source=chat")).text
    assert 'href="/queue?status=failed&amp;makes=video&amp;source=chat"' in page
    assert "No such job" in (await owned.client.get("/queue?status=done&makes=video")).text


async def test_a_job_that_failed_says_why(owned: Panel) -> None:
    job_id = await order(owned, "x", wish={"seed": 7, "params": {"steps": 9}, "width": 640, "height": 480})
    async with owned.database.transaction() as conn:
        row = await jobs.claim_next(conn, ["cloud"])
        assert row is not None and row.id == job_id
        tried = [{"provider_id": "engine", "model": "demo", "error_class": "connect", "error": "away"}]
        values = {"reason": "unavailable", "tried": tried, "error": "everything rests"}
        await jobs.end_job(conn, job_id, row.attempt, jobs.FAILED, **values)
    assert "nobody who can was available" in (await owned.client.get("/queue")).text
    page = (await owned.client.get(f"/queue/{job_id}")).text
    for words in ("nobody who can", "engine:demo", "away", "everything rests", "640 × 480", "<dd>9</dd>"):
        assert words in page, words
    assert "hx-get" not in page[page.index('id="job"') : page.index("What was asked for")]
    assert (await owned.client.get("/queue/nobody")).status_code == 404


async def test_a_job_has_a_page_with_its_inputs_and_what_it_made(owned: Panel) -> None:
    store = Store("", owned.home / "media")
    before = await kept(owned.database, store, picture(owned.home / "a.png"), prompt="Before")
    inputs = (Source(artifact=before), Source("mask", upload="abc"))
    job_id = await order(owned, "winter", Task.INPAINT, wish={"inputs": inputs})
    page = (await owned.client.get(f"/queue/{job_id}")).text
    assert f"/gallery/{before}" in page and "it is the next one" in page
    assert "Mask: sent into the chat" in page
    async with owned.database.transaction() as conn:
        row = await jobs.claim_next(conn, ["cloud"])
        assert row is not None
        await jobs.change_job(conn, job_id, 1, fraction=0.4, provider_id="engine", model="demo", cost=0.04)
        await job_previews.keep_preview(conn, job_id, b"\x89PNG...")
    part = (await owned.client.get(f"/queue/{job_id}?part=1")).text
    assert f"/queue/{job_id}/preview?" in part and "works on it" in part and 'hx-trigger="every 1s"' in part
    made = await kept(owned.database, store, picture(owned.home / "b.png"), job(id=job_id))
    async with owned.database.transaction() as conn:
        await jobs.end_job(conn, job_id, 1, jobs.DONE)
    part = (await owned.client.get(f"/queue/{job_id}?part=1")).text
    assert f"/gallery/{made}" in part and "made it" in part and "$0.0400" in part and "hx-get" not in part


async def test_an_adult_picture_is_blurred_in_the_queue_too(owned: Panel) -> None:
    store = Store("", owned.home / "media")
    job_id = await order(owned, "veiled")
    async with owned.database.transaction() as conn:
        assert await jobs.claim_next(conn, ["cloud"]) is not None
    await kept(owned.database, store, picture(owned.home / "a.png"), job(id=job_id), rating="adult")
    async with owned.database.transaction() as conn:
        await jobs.end_job(conn, job_id, 1, jobs.DONE)
    assert 'class="queue-pic adult"' in (await owned.client.get("/queue")).text
    page = (await owned.client.get(f"/queue/{job_id}")).text
    assert "gal-tile adult" in page and "Adult: show" in page
