"""Pictures and videos ordered in a chat: by words, commands, buttons, and by a model's own tools."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.jobs.submit import cancel
from core.pictures import read_picture
from db import artifacts, jobs, media, slugs
from db.database import Database
from db.jobs import Job
from db.limits import add_limit
from db.outbox import OutboxRow
from db.providers import save_provider
from db.settings import bump_config
from tests.core.test_turn import Desk, desk
from tests.fakes.llm import Healthy
from tests.jobs.studio import picture

__all__ = ["desk"]


@pytest.fixture
async def studio(desk: Desk) -> AsyncIterator[Desk]:
    """The desk with routes for pictures and videos."""
    async with desk.database.transaction() as conn:
        await save_provider(
            conn, "engine", kind="engine", name="e", base_url="http://127.0.0.1:1/v1", config={},
            enabled=True, managed="",
        )  # fmt: skip
        for makes in ("image", "video"):
            await slugs.save_one(
                conn, media.MediaRoute, f"{makes}s", name=makes, makes=makes, candidates=["engine:auto"],
                settings={}, managed="",
            )  # fmt: skip
        await bump_config(conn)
    await desk.host.reload()
    yield desk


async def job_of(desk: Desk) -> Any:
    (job,) = await desk.rows(Job)
    return job


async def made_in(database: Database, channel_id: str, chat: str) -> str:
    async with database.transaction() as conn:
        return await artifacts.add_artifact(
            conn, channel_id=channel_id, chat_key=chat, key="a.png", mime="image/png", size=1, digest="d",
            prompt="a fox", task="text_to_image",
        )  # fmt: skip


async def test_words_order_a_picture(studio: Desk) -> None:
    assert await studio.ask("Draw me a harbour at dawn") == "I am drawing it."
    job = await job_of(studio)
    assert (job.status, job.task, job.queue, job.source) == ("waiting", "text_to_image", "gpu", "chat")
    assert (job.request["prompt"], job.chat_key, job.language) == ("a harbour at dawn", "chat", "en")
    assert await studio.messages() == [
        ("user", "Draw me a harbour at dawn", "", "final"),
        ("assistant", "I am drawing it.", "job", "working"),
    ]
    assert studio.channel.messages[-1].buttons == (("cancel", f"cancel:{job.id}"),)
    assert {"topic": "jobs"}.items() <= studio.events[-2].items() or any(
        event.get("topic") == "jobs" for event in studio.events
    )
    assert studio.llm.requests == []


async def test_a_picture_that_was_sent_is_changed(studio: Desk) -> None:
    studio.channel.pictures["p1"] = read_picture(picture())
    await studio.ask("make it winter", pictures=["p1"])
    job = await job_of(studio)
    assert (job.task, len(job.request["inputs"])) == ("image_to_image", 1)
    assert job.request["inputs"][0]["upload"]


async def test_talk_goes_to_the_model(studio: Desk) -> None:
    studio.llm.script("one", Healthy("Hello"))
    assert await studio.ask("how do I draw a cat?") == "Hello"
    assert await studio.rows(Job) == []


async def test_a_command_without_words_says_how(studio: Desk) -> None:
    assert "/image a harbour" in await studio.ask("/image")
    assert await studio.rows(Job) == []


async def test_cancelling_by_a_button(studio: Desk) -> None:
    await studio.ask("/image a fox")
    job = await job_of(studio)
    await studio.ask(f"/cancel {job.id}", chat="somebody else")
    assert (await job_of(studio)).status == "waiting"
    await studio.ask(f"/cancel {job.id}")
    await studio.host.look()
    await studio.host.drain()
    assert (await job_of(studio)).status == "cancelled"
    assert (await studio.messages())[-1][1:] == ("Cancelled.", "job", "failed")
    last = studio.channel.messages[-1]
    assert (last.text, last.buttons) == ("Cancelled.", (("retry", f"again:{job.id}"),))
    await studio.ask(f"/again {job.id}")
    assert ((await job_of(studio)).status, (await job_of(studio)).attempt) == ("waiting", 2)


@pytest.mark.parametrize(
    ("button", "task"),
    [("variations", "text_to_image"), ("upscale", "upscale"), ("animate", "image_to_video")],
)
async def test_buttons_under_a_picture(studio: Desk, button: str, task: str) -> None:
    mine = await made_in(studio.database, studio.channel_id, "chat")
    other = await made_in(studio.database, studio.channel_id, "other")
    assert "not kept" in await studio.ask(f"/{button} {other}")
    await studio.ask(f"/{button} {mine}")
    assert (await job_of(studio)).task == task


async def test_a_model_orders_by_itself(studio: Desk) -> None:
    async with studio.database.transaction() as conn:
        models = [{"name": "one", "tools": True}]
        await save_provider(
            conn, "fake", kind="openai-compatible", name="fake", base_url=studio.llm.url,
            config={"models": models}, enabled=True, managed="",
        )  # fmt: skip
        await bump_config(conn)
    await studio.host.reload()
    asked = json.dumps({"prompt": "a cosy bakery, watercolour"})
    studio.llm.script("one", Healthy("Gladly!", calls=(("c1", "make_image", asked),)))
    assert await studio.ask("I would love to see your bakery") == "Gladly!\n\nI am drawing it."
    job = await job_of(studio)
    assert (job.request["prompt"], job.task) == ("a cosy bakery, watercolour", "text_to_image")
    tools = studio.llm.requests[-1].body["tools"]
    assert [one["function"]["name"] for one in tools] == ["make_image", "make_video"]


async def test_a_model_without_tools_is_asked_without(studio: Desk) -> None:
    studio.llm.script("one", Healthy("Hello"))
    await studio.ask("hi there")
    assert "tools" not in studio.llm.requests[-1].body


async def test_a_cancelled_job_that_waited_tells_nobody_twice(studio: Desk) -> None:
    await studio.ask("/image a fox")
    job = await job_of(studio)
    for expected in ("cancelled", None):
        async with studio.database.transaction() as conn:
            assert await cancel(conn, job.id) == expected
    rows = await studio.rows(OutboxRow)
    assert [row.payload["status"] for row in rows] == ["working", "failed"]


async def test_a_person_has_so_many_pictures_a_day(studio: Desk) -> None:
    async with studio.database.transaction() as conn:
        usual = {"subject_kind": "user", "period": "day", "action": "stop"}
        await add_limit(conn, measure="pictures", amount=2, **usual)
        await bump_config(conn)
    await studio.host.reload()
    assert await studio.ask("/image a fox", user="ann") == "I am drawing it."
    first = await job_of(studio)
    assert await studio.ask("/image a cat", user="bob") == "I am drawing it."
    assert await studio.ask("/image a hare", user="ann") == "I am drawing it."
    over = await studio.ask("/image an owl", user="ann")
    assert over.startswith("That is more pictures than the limit leaves for now. You can go on ")
    assert "later" not in over
    assert "Столько картинок лимит" in await studio.ask("/image сова", user="ann", language="ru")
    assert await studio.ask("/video waves", user="ann") == "I am making the video."
    await studio.ask(f"/cancel {first.id}", user="ann")  # gives its room back
    assert await studio.ask("/image an owl", user="ann") == "I am drawing it."
    assert (await studio.ask(f"/again {first.id}", user="ann")).startswith("That is more pictures")
    assert {row.id: row.status for row in await studio.rows(Job)}[first.id] == "cancelled"


async def test_an_instance_that_is_off_makes_nothing(desk: Desk) -> None:
    assert await desk.ask("/image a fox") == "I cannot make pictures here."
    assert [row.status for row in await desk.rows(OutboxRow)] == ["sent"]
    assert jobs.ENDED
