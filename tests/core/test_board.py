"""Progress in chats: each state once, never after the result, and again when a job waits once more."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.channel import JobView
from core.jobs.board import Board
from core.jobs.order import Order, Reply, Wish
from core.jobs.submit import cancel, place, retry
from core.messages import OutboundMessage
from db import outbox
from db.channels import add_channel
from db.database import Database
from providers.media.types import Task
from tests.core.channels import RecordingChannel


class Showing(RecordingChannel):
    """Keeps the progress that it was told, while it takes any."""

    def __init__(self) -> None:
        super().__init__()
        self.views: list[JobView] = []
        self.takes = True

    async def progress(self, view: JobView) -> bool:
        if self.takes:
            self.views.append(view)
        return self.takes


class Place:
    """A board with one announced job."""

    def __init__(self, database: Database, channel_id: str) -> None:
        self.database, self.channel_id, self.channel = database, channel_id, Showing()
        self.board = Board(database, channel_id, self.channel)

    async def order(self, message: str = "m1", chat: str = "7") -> str:
        order = Order(
            Wish(Task.TEXT_TO_IMAGE, "a fox"), ("one:fast",), "chat", channel_id=self.channel_id,
            chat_key=chat, key=message, reply=Reply(message, None, "", ()),
        )  # fmt: skip
        async with self.database.transaction() as conn:
            said = OutboundMessage(chat, "I am drawing it.", message).to_json()
            row = await outbox.add_outbound(conn, self.channel_id, chat, said, message)
            await outbox.mark(conn, row, status="sent", sent_ids=["100"])
            return str((await place(conn, order)).id)

    async def look(self) -> list[str]:
        """What one look at the rows shows."""
        before = len(self.channel.views)
        await self.board.round()
        return [one.words for one in self.channel.views[before:]]


@pytest.fixture
async def here(database: Database, tmp_path: Path) -> AsyncIterator[Place]:
    async with database.transaction() as conn:
        channel_id = await add_channel(conn, kind="test", slug="a", name="a", config={}, base_ids=[])
    yield Place(database, channel_id)


WAITS = "I am drawing it.\nnext in the queue"


async def test_a_state_is_shown_once_and_what_was_refused_again(here: Place) -> None:
    await here.order()
    here.channel.takes = False
    assert await here.look() == []
    here.channel.takes = True
    assert await here.look() == [WAITS]
    assert await here.look() == []


async def test_nothing_is_shown_after_the_result(here: Place) -> None:
    job = await here.order()
    view = JobView(job, "m1", "7", "100", WAITS)
    await here.board.finish("m1")
    await here.board._show(view, 0.0)
    assert here.channel.views == []


async def test_a_job_that_waits_once_more_shows_its_progress(here: Place) -> None:
    job = await here.order()
    assert await here.look() == [WAITS]
    async with here.database.transaction() as conn:
        await cancel(conn, job)
    await here.board.finish("m1")
    assert await here.look() == []
    async with here.database.transaction() as conn:
        await retry(conn, job)
    assert await here.look() == [WAITS]


async def test_two_orders_of_one_person_and_of_two_people(here: Place) -> None:
    for number, chat in enumerate(("7", "7", "-5/3")):
        await here.order(f"m{number}", chat)
    assert await here.look() == [
        WAITS,
        "I am drawing it.\n1 before this one",
        "I am drawing it.\n2 before this one",
    ]
    assert [(one.message_id, one.chat_key) for one in here.channel.views] == [
        ("m0", "7"),
        ("m1", "7"),
        ("m2", "-5/3"),
    ]
