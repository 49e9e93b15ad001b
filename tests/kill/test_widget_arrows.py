"""kill -9 along the way of a widget's message: the visitor's page asks again, and has exactly one answer."""

import json
import sqlite3
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.remote import RemoteLLM
from tests.fleets import write_fleet
from tests.installation import Installation, wait_until

pytestmark = [pytest.mark.kill, pytest.mark.timeout(180)]
VICTIMS = ("site", "web", "forkserver", "orchestrator")
ARROWS = ("before accept", "in the stream", "before the answer")
ORIGIN = "https://site.example"


class Visitor:
    """What the page does: it keeps its key until the message is accepted."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.token = ""
        wait_until(self._mint, 20, "a visitor's token")

    def ask(self, path: str, method: str = "GET", body: Any = None, key: str = "") -> tuple[int, Any]:
        """One request; status 0 when the connection failed."""
        headers = {"Origin": ORIGIN, "X-Visitor": self.token, "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.installation.url}/w/site/{path}"
        try:
            with urllib.request.urlopen(
                urllib.request.Request(url, data, headers, method=method), timeout=5
            ) as got:
                return got.status, json.loads(got.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, None
        except (OSError, ValueError):
            return 0, None

    def say(self, text: str, key: str) -> bool:
        """One try at a message."""
        return self.ask("messages", "POST", {"text": text}, key)[0] == 202

    def history(self) -> list[dict[str, Any]]:
        """The conversation as a reloaded page sees it."""
        status, data = self.ask("messages")
        return list(data["messages"]) if status == 200 else []

    def _mint(self) -> bool:
        status, data = self.ask("visitor", "POST", {})
        self.token = data["token"] if status == 201 else ""
        return bool(self.token)


@pytest.fixture(scope="module")
def llm() -> Iterator[RemoteLLM]:
    with RemoteLLM("--chunks", "30", "--delay", "0.05") as llm:
        yield llm


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, llm: RemoteLLM) -> Path:
    folder = tmp_path_factory.mktemp("widgets")
    return write_fleet(folder / "fleet.toml", 0, "", llm.url, widgets=("site",))


@pytest.fixture(scope="module")
def town(fleet: Path) -> Iterator[Installation]:
    town = Installation(fleet.parent / "home")
    town.start("--fleet", str(fleet))
    yield town
    town.stop()


@pytest.mark.parametrize("arrow", ARROWS)
@pytest.mark.parametrize("victim", VICTIMS)
def test_exactly_one_answer(town: Installation, fleet: Path, victim: str, arrow: str) -> None:
    town.wait_ready()
    visitor, key = Visitor(town), str(uuid.uuid4())
    if arrow == "before accept":
        with closing(sqlite3.connect(town.home / "botyard.db", timeout=10, isolation_level=None)) as lock:
            lock.execute("BEGIN IMMEDIATE")
            assert not visitor.say("tell me", key)  # the page's own time-out
            town.kill(victim)
            lock.execute("ROLLBACK")
    else:
        assert visitor.say("tell me", key)
        time.sleep(0.5)
        if arrow == "in the stream":
            town.kill(victim)
        else:
            with closing(sqlite3.connect(town.home / "botyard.db", timeout=10, isolation_level=None)) as lock:
                lock.execute("BEGIN IMMEDIATE")
                time.sleep(1.7)  # the stream is over, the answer waits for its commit
                town.kill(victim)
                lock.execute("ROLLBACK")
    if victim == "orchestrator":
        town.start("--fleet", str(fleet))
    wait_until(lambda: visitor.say("tell me", key), 30, "accepted, however often it is sent")
    wait_until(lambda: len(visitor.history()) >= 2, 30, "an answer")
    assert visitor.say("tell me", key)
    time.sleep(0.3)
    assert [message["role"] for message in visitor.history()] == ["user", "assistant"]
    assert visitor.history()[1]["status"] == "final" and visitor.history()[1]["text"]
