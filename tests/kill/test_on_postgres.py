"""A whole installation on PostgreSQL: it answers, and a killed bot's turn is taken up again."""

import os
import signal
import uuid
from pathlib import Path

import pytest

from tests.conftest import execute
from tests.fakes.remote import RemoteBotApi, RemoteLLM
from tests.fleets import token, write_fleet
from tests.installation import Installation, wait_until


@pytest.mark.kill
@pytest.mark.timeout(120)
async def test_a_fleet_on_postgresql(postgres: str, tmp_path: Path) -> None:
    name = f"town_{uuid.uuid4().hex}"
    await execute(postgres, f"CREATE DATABASE {name}")
    with RemoteBotApi() as api, RemoteLLM("--chunks", "20", "--delay", "0.05") as llm:
        fleet = write_fleet(tmp_path / "fleet.toml", 3, api.root, llm.url, widgets=("site",))
        town = Installation(tmp_path / "home", DATABASE_URL=postgres.replace("/postgres?", f"/{name}?"))
        try:
            town.start("--fleet", str(fleet))
            for bot in range(3):
                api.say(token(bot), 10 + bot, "ping")
            assert [api.wait(10 + bot)[0]["text"] for bot in range(3)] == ["pong"] * 3
            api.say(token(0), 20, "tell me")
            wait_until(lambda: _drafted(api, 20), 10, "a preview")
            channels = town.get("/api/v1/status")[1]["channels"]
            pid = next(one["pid"] for one in channels.values() if one["slug"] == "b0")
            os.kill(pid, signal.SIGKILL)
            assert len(api.wait(20, timeout=30)) == 1
            town.wait_ready()
        finally:
            assert town.stop() == 0


def _drafted(api: RemoteBotApi, chat: int) -> bool:
    return any(
        call["chat_id"] == chat and call["method"] == "sendMessageDraft" for call in api.calls()["calls"]
    )
