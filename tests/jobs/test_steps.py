"""The steps of a job: who is asked, what is learnt from failures, and what is left in the rows."""

import asyncio
import hashlib

import pytest
from aiohttp import web
from sqlalchemy import select

from core.jobs.board import progress_line
from core.jobs.order import Source, Wish
from core.jobs.submit import NotOrdered, cancel, retry
from db import artifacts, channels, job_previews, jobs, media, slugs
from db.job_lists import Wanted, find_jobs, list_jobs
from db.usage import Usage
from providers.errors import ErrorClass, ProviderError
from providers.media.types import Repeat, Task
from tests.jobs import studio
from tests.jobs.conftest import Workshop, work
from tests.jobs.studio import VENDORS


async def test_a_picture_is_made_stored_and_accounted(shop: Workshop) -> None:
    job_id = await shop.order(key_id="k1")
    row = await shop.work()
    assert (row.status, row.provider_id, row.model, row.cost) == ("done", "one", "fast", 0.02)
    async with shop.database.reading() as conn:
        (kept,) = await artifacts.artifacts_of(conn, job_id)
        (usage,) = (await conn.execute(select(Usage.__table__))).all()
        assert await job_previews.get_preview(conn, job_id) is None
    body = await shop.bench.store.content(kept.key)
    assert (kept.digest, kept.size) == (hashlib.sha256(body).hexdigest(), len(body))
    assert b"a harbour" in body  # what a program ordered carries its own record
    assert (kept.width, kept.height, kept.prompt, kept.settings["seed"]) == (32, 24, "a harbour", 7)
    assert (usage.outcome, usage.cost, usage.key_id, usage.request_id) == ("ok", 0.02, "k1", job_id)
    assert VENDORS["one"].discarded and not list((shop.bench.folder).glob("*"))


async def test_the_next_candidate_makes_what_the_first_could_not(shop: Workshop) -> None:
    VENDORS["one"].fails = [ProviderError(ErrorClass.QUOTA, "no money")]
    await shop.order()
    row = await shop.work()
    assert (row.status, row.provider_id) == ("done", "two")
    assert [one["error_class"] for one in row.tried] == ["quota"]
    await shop.order()
    assert (await shop.work()).provider_id == "two"
    assert len(VENDORS["one"].submits) == 1  # it rests


async def test_a_file_that_is_no_picture_is_a_failure_of_its_model(shop: Workshop) -> None:
    VENDORS["one"].body = b"<html>sorry</html>"
    await shop.order()
    row = await shop.work()
    assert (row.status, row.provider_id) == ("done", "two")


async def test_a_job_waits_for_whoever_rests(shop: Workshop) -> None:
    VENDORS["one"].fails = [ProviderError(ErrorClass.RATE_LIMIT, "slow down", retry_after=30)]
    await shop.order("one:fast")
    row = await shop.work()
    assert (row.status, row.attempt, row.submit) == ("waiting", 2, {})
    assert row.not_before > row.created_at + 25
    assert await shop.claim() is None


async def test_a_moderated_request_says_so(shop: Workshop) -> None:
    for vendor in VENDORS.values():
        vendor.fails = [ProviderError(ErrorClass.CONTENT, "policy")]
    await shop.order()
    row = await shop.work()
    assert (row.status, row.reason) == ("failed", "moderated")


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (Wish(Task.TEXT_TO_IMAGE, "x", width=0, height=100), "width: range"),
        (Wish(Task.TEXT_TO_IMAGE, "x", width=100_000, height=64), "width: range"),
        (Wish(Task.TEXT_TO_IMAGE, "x", count=9), "count: range"),
        (Wish(Task.TEXT_TO_IMAGE, "  "), "prompt: empty"),
        (Wish(Task.IMAGE_TO_IMAGE, "x"), "image: input"),
        (Wish(Task.TEXT_TO_IMAGE, "x", params={"style": 7}), "style: kind"),
        (Wish(Task.TEXT_TO_VIDEO, "x"), "task: task"),
    ],
)
async def test_a_bad_request_fails_with_its_reason(shop: Workshop, wish: Wish, field: str) -> None:
    await shop.order("one:fast", wish=wish)
    row = await shop.work()
    assert (row.status, row.reason) == ("failed", "request")
    assert row.error.startswith(field)
    assert not VENDORS["one"].submits


async def test_a_prompt_of_a_megabyte_is_not_ordered(shop: Workshop) -> None:
    with pytest.raises(NotOrdered):
        await shop.order(prompt="x" * 1_000_000)


async def test_the_same_key_is_the_same_job(shop: Workshop) -> None:
    first = await shop.order(key="abc", key_id="k1")
    assert await shop.order(key="abc", key_id="k1") == first
    assert await shop.order(key="abc", key_id="k2") != first


@pytest.mark.parametrize(("repeat", "submits"), [(Repeat.KEY, 2), (Repeat.FIND, 1)])
async def test_a_lost_answer_is_found_again(shop: Workshop, repeat: Repeat, submits: int) -> None:
    VENDORS["one"].repeat, VENDORS["one"].loses = repeat, 1
    await shop.order("one:fast")
    row = await shop.work()
    assert row.status == "done"
    assert len(VENDORS["one"].submits) == submits
    assert len({key for _, key, _ in VENDORS["one"].submits}) == 1


@pytest.mark.parametrize(
    ("lines", "ended"), [(("one:fast",), ("failed", "lost")), (("one:fast", "two:fast"), ("done", ""))]
)
async def test_what_may_be_paid_for_is_not_asked_again(
    shop: Workshop, lines: tuple[str, ...], ended: tuple[str, str]
) -> None:
    """A runner that died between the submit and its answer, and a vendor that cannot be asked."""
    VENDORS["one"].repeat = Repeat.NEVER
    job_id = await shop.order(*lines)
    row = await shop.claim()
    async with shop.database.transaction() as conn:
        begun = {
            "key": "k",
            "provider_id": "one",
            "model": "fast",
            "key_number": 0,
            "began": 0.0,
            "asked": True,
        }
        await jobs.change_job(conn, row.id, row.attempt, submit=begun)
    await work(shop.bench, row.id, row.attempt)
    row = await shop.row(job_id)
    assert (row.status, row.reason, VENDORS["one"].submits) == (*ended, [])


async def test_a_paid_answer_that_is_lost_is_never_asked_for_again(shop: Workshop) -> None:
    VENDORS["one"].repeat, VENDORS["one"].loses = Repeat.NEVER, 9
    await shop.order("one:fast")
    row = await shop.work()
    assert (row.status, row.reason, len(VENDORS["one"].submits)) == ("failed", "lost", 1)
    await shop.order("one:fast", "two:fast")
    row = await shop.work()
    assert (row.status, row.provider_id, len(VENDORS["one"].submits)) == ("done", "two", 2)


async def test_asking_that_fails_is_asked_again(shop: Workshop) -> None:
    VENDORS["one"].breaks = [ProviderError(ErrorClass.CONNECT, "away")]
    await shop.order("one:fast")
    assert (await shop.work()).status == "done"


async def test_a_job_that_kills_its_engine_twice_is_set_aside(shop: Workshop) -> None:
    VENDORS["one"].breaks = [studio.died(), studio.died(), studio.died()]
    await shop.order()
    row = await shop.work()
    assert (row.status, row.reason, len(VENDORS["one"].submits)) == ("failed", "quarantined", 2)
    assert not VENDORS["two"].submits


async def test_cancelling_waiting_and_running_jobs(shop: Workshop) -> None:
    waiting = await shop.order()
    assert await shop.does(cancel, waiting) == "cancelled"
    assert await shop.does(cancel, waiting) is None
    VENDORS["one"].step_seconds = 30
    running = await shop.order()
    task = asyncio.create_task(shop.work())
    while not VENDORS["one"].submits:
        await asyncio.sleep(0.02)
    assert await shop.does(cancel, running) == "running"
    row = await asyncio.wait_for(task, 5)
    assert row.status == "cancelled" and VENDORS["one"].cancelled
    assert await shop.does(retry, running)
    assert (await shop.row(running)).attempt == 2


async def test_the_order_of_waiting_jobs(shop: Workshop) -> None:
    first, second = await shop.order(), await shop.order()
    chat = await shop.order(lane=10)
    third = await shop.order()
    assert await shop.does(jobs.put_first, third)
    async with shop.database.reading() as conn:
        places = {
            name: await jobs.before(conn, await jobs.get_job(conn, name)) for name in (first, chat, third)
        }
        listed = [row.id for row in await list_jobs(conn)]
    assert places == {third: 0, chat: 1, first: 2}
    assert listed == [third, chat, first, second]
    assert [(await shop.claim()).id for _ in range(4)] == listed


async def test_a_job_waits_for_its_time(shop: Workshop) -> None:
    late = await shop.order(delay=3600.0)
    soon = await shop.order()
    row = await shop.row(late)
    assert (row.status, row.phase) == ("waiting", "scheduled")
    assert row.expires_at == pytest.approx(row.not_before + 24 * 3600, abs=1)
    assert progress_line(row, None) == "begins in 60 min"
    async with shop.database.reading() as conn:
        assert await jobs.before(conn, row) is None
        assert await jobs.before(conn, await jobs.get_job(conn, soon)) == 0
    assert (await shop.work()).id == soon
    assert await shop.claim() is None
    other = await shop.order(delay=0.05)
    await asyncio.sleep(0.1)
    assert progress_line(await shop.row(other), 0) == "next in the queue"
    assert (await shop.work()).id == other
    assert await shop.does(jobs.put_first, late)  # begins now
    assert (await shop.row(late)).phase == "waiting" and (await shop.work()).status == "done"
    gone = await shop.order(delay=3600.0)
    assert await shop.does(cancel, gone) == "cancelled"


async def test_jobs_are_found_by_what_they_are(shop: Workshop) -> None:
    async with shop.database.transaction() as conn:
        await channels.add_channel(conn, id="c1", kind="telegram", slug="shop", name="Shop")
    film = await shop.order(wish=Wish(Task.TEXT_TO_VIDEO, "waves"), source="mcp", key_id="k1")
    chat = await shop.order(source="chat", channel_id="c1", chat_key="7")
    plain = await shop.order()
    expected = {
        Wanted(): [film, chat, plain], Wanted(makes="video"): [film], Wanted(makes="image"): [chat, plain],
        Wanted(source="chat"): [chat], Wanted(channel_id="c1"): [chat], Wanted(channel_id="c2"): [],
        Wanted(status="waiting", makes="image", source="api"): [plain], Wanted(key_id="k1"): [film],
        Wanted(key_id=""): [chat, plain],
    }  # fmt: skip
    async with shop.database.reading() as conn:
        for wanted, ids in expected.items():
            assert {row.id for row in await list_jobs(conn, wanted)} == set(ids)
            assert [row.id for row in await find_jobs(conn, wanted, 9)] == sorted(ids, reverse=True)


async def test_an_attempt_that_was_given_up_ends_nothing(shop: Workshop) -> None:
    job_id = await shop.order()
    row = await shop.claim()
    async with shop.database.transaction() as conn:
        assert not await jobs.end_job(conn, job_id, row.attempt + 1, jobs.DONE)
        assert await jobs.end_job(conn, job_id, row.attempt, jobs.DONE)
        assert not await jobs.end_job(conn, job_id, row.attempt, jobs.FAILED)


async def test_a_routes_own_words_are_refused_before_anybody_is_asked(shop: Workshop) -> None:
    async with shop.database.transaction() as conn:
        await slugs.save_one(
            conn, media.MediaRoute, "images", name="i", makes="image", candidates=["one:fast"],
            settings={"blocked_words": ["harbour"]}, managed="",
        )  # fmt: skip
    await shop.order("one:fast", route_id="images")
    row = await shop.work()
    assert (row.status, row.reason, VENDORS["one"].submits) == ("failed", "moderated", [])
    with pytest.raises(NotOrdered, match="moderated"):
        await shop.order(prompt="undress her")


async def judging(told: dict[str, dict[str, object]]) -> tuple[web.AppRunner, str]:
    """A moderation service that answers so at each stage."""

    async def judge(request: web.Request) -> web.Response:
        return web.json_response({"allow": True, **told.get((await request.json())["stage"], {})})

    app = web.Application()
    app.router.add_post("/", judge)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}/"


@pytest.mark.parametrize("stage", ["before", "after", "character", "nobody"])
async def test_whom_a_picture_is_for(shop: Workshop, stage: str) -> None:
    runner, url = await judging({stage: {"rating": "adult"}})
    async with shop.database.transaction() as conn:
        await slugs.save_one(
            conn, media.MediaRoute, "images", name="i", makes="image", candidates=["one:fast"],
            settings={"moderation_url": url}, managed="",
        )  # fmt: skip
    job_id = await shop.order(route_id="images", rating="adult" if stage == "character" else "general")
    assert (await shop.work()).status == "done"
    async with shop.database.reading() as conn:
        (made,) = await artifacts.artifacts_of(conn, job_id)
    assert made.rating == ("general" if stage == "nobody" else "adult")
    wish = Wish(Task.IMAGE_TO_IMAGE, "darker", inputs=(Source(artifact=made.id),))
    assert (await shop.row(await shop.order(wish=wish))).rating == made.rating  # what is made of it
    await runner.cleanup()


async def test_a_host_that_is_being_started_is_waited_for(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_config: object) -> list[object]:
        raise ProviderError(ErrorClass.CONNECT, "away")

    with monkeypatch.context() as patch:
        patch.setattr(studio, "list_cards", away)
        await shop.order("one:auto")
        row = await shop.work()
    assert (row.status, row.attempt) == ("waiting", 2)
    async with shop.database.transaction() as conn:
        await conn.execute(jobs.JOB.update().values(not_before=0.0))
    assert (await shop.work()).status == "done"
