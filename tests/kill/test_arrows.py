"""kill -9 at each arrow of the way of a message: then exactly one visible answer.

The moments are made certain, not waited for by chance: a lock held on the database from outside stops a
process before its commit, a slow upstream holds it in mid-answer, a delayed Bot API in mid-send.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.remote import RemoteBotApi, RemoteLLM
from tests.fleets import token, write_fleet
from tests.installation import Installation, wait_until

pytestmark = [pytest.mark.kill, pytest.mark.timeout(180)]
VICTIMS = ("b0", "forkserver", "web", "orchestrator")
ARROWS = ("before accept", "before the answer", "in the stream", "before the send", "in the send")


class Town:
    """Fakes, and one installation between them."""

    def __init__(self, folder: Path) -> None:
        self.api = RemoteBotApi()
        self.llm = RemoteLLM("--chunks", "40", "--delay", "0.05")
        self.fleet = write_fleet(folder / "fleet.toml", 2, self.api.root, self.llm.url)
        self.installation = Installation(folder / "home")
        self.installation.start("--fleet", str(self.fleet))
        self.chat = 0

    def stop(self) -> None:
        self.installation.stop()
        self.api.stop()
        self.llm.stop()

    def kill(self, victim: str) -> None:
        """kill -9, and a new start where nobody else does it."""
        self.installation.kill(victim)
        if victim == "orchestrator":
            self.installation.start("--fleet", str(self.fleet))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody can commit within this block."""
        connection = sqlite3.connect(self.installation.home / "botyard.db", timeout=10, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
            connection.close()

    def inbox(self, chat: int) -> str:
        found = self.installation.rows("SELECT status FROM inbox WHERE chat_key = ?", str(chat))
        return str(found[0][0]) if found else ""

    def outbox(self, chat: int) -> str:
        found = self.installation.rows("SELECT status FROM outbox WHERE chat_key = ?", str(chat))
        return str(found[0][0]) if found else ""

    def drafted(self, chat: int) -> bool:
        calls = self.api.calls()["calls"]
        return any(call["chat_id"] == chat and call["method"] == "sendMessageDraft" for call in calls)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town(tmp_path_factory.mktemp("town"))
    yield town
    town.stop()


@pytest.mark.parametrize("arrow", ARROWS)
@pytest.mark.parametrize("victim", VICTIMS)
def test_exactly_one_answer(town: Town, victim: str, arrow: str) -> None:
    town.chat += 1
    chat, bot = town.chat, token(0)
    doubled_allowed = False
    town.installation.wait_ready()
    match arrow:
        case "before accept":
            with town.locked():
                town.api.say(bot, chat, "ping")
                time.sleep(0.2)
                assert town.inbox(chat) == ""
                town.installation.kill(victim)
        case "before the answer":
            town.api.say(bot, chat, "tell me")
            wait_until(lambda: town.inbox(chat) == "running", 10, "accepted")
            with town.locked():
                time.sleep(3)  # the stream is over, the answer waits for its commit
                assert town.outbox(chat) == ""
                town.installation.kill(victim)
        case "in the stream":
            town.api.say(bot, chat, "tell me")
            wait_until(lambda: town.drafted(chat), 10, "a preview")
            town.installation.kill(victim)
        case "before the send":
            town.api.fault(kind="drop", method="sendMessage", chat_id=chat, count=1)
            town.api.say(bot, chat, "ping")
            wait_until(lambda: town.outbox(chat) == "new", 10, "in the outbox")
            town.installation.kill(victim)
        case "in the send":
            town.api.fault(kind="lost_reply", method="sendMessage", chat_id=chat, count=1)
            town.api.say(bot, chat, "ping")
            wait_until(lambda: town.api.visible(chat), 10, "sent")
            town.installation.kill(victim)
            doubled_allowed = True
    if victim == "orchestrator":
        town.installation.start("--fleet", str(town.fleet))
    shown = town.api.wait(chat, timeout=30)
    wait_until(lambda: town.outbox(chat) == "sent", 20, "marked as sent")
    shown = town.api.visible(chat)
    texts = {message["text"] for message in shown}
    assert len(texts) == 1
    assert texts == {"pong"} or arrow in ("before the answer", "in the stream")
    assert len(shown) == 1 or (doubled_allowed and len(shown) == 2)
    assert town.inbox(chat) == "done"
