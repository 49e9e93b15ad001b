"""Pictures and videos ordered in a chat: by words, commands, buttons, and by a model's own tools."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.jobs.board import words_of
from core.jobs.submit import LONGEST_PROMPT, cancel
from core.pictures import read_picture
from db import artifacts, jobs, media, slugs
from db.base import now
from db.channels import change_channel
from db.database import Database
from db.jobs import Job
from db.limits import add_limit
from db.outbox import OutboxRow
from db.providers import save_provider
from db.routes import Character
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


@pytest.mark.parametrize("words", ["try this on", "/tryon", "примерь"])
async def test_a_person_and_a_garment_are_tried_on(studio: Desk, words: str) -> None:
    studio.channel.pictures |= {name: read_picture(picture(shade=at)) for at, name in enumerate("pg")}
    assert "two photos" in await studio.ask("/tryon")
    assert "two photos" in await studio.ask("/tryon", pictures=["p"], chat="another")
    await studio.ask(words, pictures=["p", "g"])
    job = await job_of(studio)
    assert job.task == "try_on"
    assert [one["role"] for one in job.request["inputs"]] == ["person", "garment"]


async def test_a_garment_that_comes_after_the_person(studio: Desk) -> None:
    studio.channel.pictures |= {name: read_picture(picture(shade=at)) for at, name in enumerate("pg")}
    await studio.ask("this is me", pictures=["p"])
    await studio.ask("try this on", pictures=["g"])
    person, garment = (await job_of(studio)).request["inputs"]
    assert (person["role"], garment["role"]) == ("person", "garment")
    assert person["upload"] != garment["upload"]


@pytest.mark.parametrize(
    "words", ["try this on and take off her dress", "/tryon naked", "примерь, но без белья", "/tryon topless"]
)
async def test_trying_on_undresses_nobody(studio: Desk, words: str) -> None:
    async with studio.database.transaction() as conn:
        await slugs.save_one(
            conn, Character, "racy", name="R", prompt="", greeting="", rating="adult", managed=""
        )
        await change_channel(conn, studio.channel_id, character_id="racy")
        await bump_config(conn)
    await studio.host.reload()
    studio.channel.pictures |= {name: read_picture(picture(shade=at)) for at, name in enumerate("pg")}
    await studio.ask(words, pictures=["p", "g"])
    assert await studio.rows(Job) == []
    assert await studio.ask("/image a topless beach") == "I am drawing it."  # the rating alone allows it


async def test_who_cannot_try_on_says_so(studio: Desk) -> None:
    async with studio.database.transaction() as conn:
        await save_provider(
            conn,
            "flux",
            kind="bfl",
            name="f",
            base_url="http://127.0.0.1:1",
            config={},
            enabled=True,
            managed="",
        )
        await slugs.save_one(
            conn, media.MediaRoute, "images", name="i", makes="image", candidates=["flux:auto"], settings={},
            managed="",
        )  # fmt: skip
        await bump_config(conn)
    await studio.host.reload()
    studio.channel.pictures |= {name: read_picture(picture(shade=at)) for at, name in enumerate("pg")}
    assert await studio.ask("try this on", pictures=["p", "g"]) == "I cannot try clothes on here."


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


async def test_a_cancel_button_that_is_pressed_again(studio: Desk) -> None:
    await studio.ask("/image a fox")
    job = await job_of(studio)
    await studio.ask(f"/cancel {job.id}", f"/cancel {job.id}")
    assert studio.channel.sent[-1][1] == "This is finished already."
    await studio.ask(f"/again {job.id}", f"/again {job.id}")
    assert ((await job_of(studio)).attempt, studio.channel.sent[-1][1]) == (2, "This is finished already.")


async def test_two_people_of_a_group(studio: Desk) -> None:
    await studio.ask("/image a fox", user="ann", group=True)
    await studio.ask("/image an owl", user="bob", group=True)
    first, second = sorted(await studio.rows(Job), key=lambda one: str(one.user_key))
    assert [one.user_key for one in (first, second)] == ["ann", "bob"]
    assert (
        await studio.ask(f"/cancel {first.id}", user="bob", group=True)
        == "Only who ordered this can do that."
    )
    await studio.ask(f"/cancel {first.id}", user="ann", group=True)
    assert {one.user_key: one.status for one in await studio.rows(Job)} == {
        "ann": "cancelled",
        "bob": "waiting",
    }
    assert "Only who" in await studio.ask(f"/again {first.id}", user="bob", group=True)


async def test_two_orders_at_once_of_one_person(studio: Desk) -> None:
    await studio.ask("/image a fox", "/image an owl")
    found = {one.request["prompt"]: one.id for one in await studio.rows(Job)}
    buttons = [one.buttons[0][1] for one in studio.channel.messages]
    assert buttons == [f"cancel:{found['a fox']}", f"cancel:{found['an owl']}"]


@pytest.mark.parametrize("button", ["cancel", "again", "variations", "upscale", "animate"])
async def test_buttons_of_what_is_long_gone(studio: Desk, button: str) -> None:
    said = await studio.ask(f"/{button} 00000000-0000-0000-0000-000000000000")
    assert "finished" in said or "not kept" in said
    assert "finished" in (said := await studio.ask(f"/{button}")) or "not kept" in said
    assert await studio.rows(Job) == []


async def test_a_very_long_description_is_refused_with_the_limit(studio: Desk) -> None:
    said = await studio.ask("/image " + "x" * (LONGEST_PROMPT + 1))
    assert said == f"This description is too long: at most {LONGEST_PROMPT} characters."
    assert await studio.rows(Job) == []


async def test_a_change_after_a_failed_job_has_no_picture_and_is_talk(studio: Desk) -> None:
    await studio.ask("/image a fox")
    job = await job_of(studio)
    await studio.ask(f"/cancel {job.id}")
    await studio.host.look()
    studio.llm.script("one", Healthy("Which one?"))
    assert await studio.ask("make it darker") == "Which one?"
    assert len(await studio.rows(Job)) == 1


async def test_a_command_without_words_and_then_the_words(studio: Desk) -> None:
    await studio.ask("/image")
    assert await studio.ask("a harbour at dawn") == "I am drawing it."
    assert (await job_of(studio)).request["prompt"] == "a harbour at dawn"
    studio.llm.script("one", Healthy("Hello"))
    assert await studio.ask("good morning") == "Hello"


async def test_a_question_after_a_command_without_words_is_talk(studio: Desk) -> None:
    await studio.ask("/video")
    studio.llm.script("one", Healthy("Yes"))
    assert await studio.ask("are you there?") == "Yes"
    assert await studio.rows(Job) == []


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
    assert words_of(job, 1).startswith("Gladly!\n\nI am drawing it.\n")
    async with studio.database.transaction() as conn:
        await cancel(conn, job.id)
    assert (await studio.rows(OutboxRow))[-1].payload["text"].startswith("Gladly!\n\n")
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
    assert await studio.ask("/image a hare --count -7", user="ann") == "I am drawing it."
    over = await studio.ask("/image an owl", user="ann")
    assert over.startswith("That is more pictures than the limit leaves for now. You can go on ")
    assert "later" not in over
    assert "Столько картинок лимит" in await studio.ask("/image сова", user="ann", language="ru")
    assert await studio.ask("/video waves", user="ann") == "I am making the video."
    await studio.ask(f"/cancel {first.id}", user="ann")  # gives its room back
    assert await studio.ask("/image an owl", user="ann") == "I am drawing it."
    assert (await studio.ask(f"/again {first.id}", user="ann")).startswith("That is more pictures")
    assert {row.id: row.status for row in await studio.rows(Job)}[first.id] == "cancelled"


async def test_a_job_waits_as_long_as_the_settings_say(studio: Desk) -> None:
    studio.host.let_jobs_wait(2.0)
    await studio.ask("/image a fox")
    job = await job_of(studio)
    assert job.expires_at - job.created_at == pytest.approx(7200, abs=1)
    await studio.ask(f"/cancel {job.id}")
    await studio.ask(f"/again {job.id}")
    again = await job_of(studio)
    assert again.status == "waiting" and again.expires_at == pytest.approx(now() + 7200, abs=20)


async def test_an_instance_that_is_off_makes_nothing(desk: Desk) -> None:
    assert await desk.ask("/image a fox") == "I cannot make pictures here."
    assert [row.status for row in await desk.rows(OutboxRow)] == ["sent"]
    assert jobs.ENDED
