"""A storm: messages over many bots while processes are killed at random; then everything is counted.

Also the benchmark of durability: `python -m bench storm`.
"""

import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.remote import RemoteBotApi, RemoteLLM
from tests.fleets import token, write_fleet
from tests.installation import Installation

EXCUSED_WITHIN = 1.0  # seconds before a kill in which a sent message may have stayed unmarked


@dataclass(frozen=True)
class Storm:
    """How hard it blows."""

    messages: int = 1000
    bots: int = 10
    kills: int = 50
    seconds: float = 60.0
    seed: int = 7


@dataclass
class Count:
    """What was left when it was over. `excused` were sent twice because a kill came between the send and
    its mark; `doubled` have no such excuse."""

    lost: list[int] = field(default_factory=list)
    excused: list[int] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)
    kills: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    slowest: float = 0.0


class _Killer(threading.Thread):
    def __init__(self, installation: Installation, fleet: Path, storm: Storm) -> None:
        super().__init__(daemon=True)
        self.installation, self.fleet, self.storm = installation, fleet, storm
        self.killed: list[tuple[float, str]] = []
        self.random = random.Random(storm.seed)
        self.error: BaseException | None = None

    def run(self) -> None:
        begun = time.monotonic()
        for number in range(self.storm.kills):
            due = begun + (number + self.random.random()) * self.storm.seconds / self.storm.kills
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                self._kill()
            except Exception as error:  # noqa: BLE001  # the test's thread reads it
                self.error = error
                return

    def _kill(self) -> None:
        bots = [f"b{number}" for number in range(self.storm.bots)]
        victim = self.random.choice([*bots, *bots, "web", "forkserver", "forkserver", "orchestrator"])
        for _ in range(200):
            try:
                self.installation.kill(victim)
                break
            except (TimeoutError, ProcessLookupError):  # it is just being started again
                time.sleep(0.05)
        self.killed.append((time.monotonic(), victim))
        if victim == "orchestrator":
            self.installation.start("--fleet", str(self.fleet), ready=False)


def blow(folder: Path, storm: Storm) -> Count:
    """Run one storm and count."""
    with RemoteBotApi() as api, RemoteLLM("--chunks", "12", "--delay", "0.05") as llm:
        fleet = write_fleet(folder / "fleet.toml", storm.bots, api.root, llm.url)
        installation = Installation(folder / "home")
        installation.start("--fleet", str(fleet))
        try:
            return _run(installation, api, fleet, storm)
        finally:
            installation.stop()


def _run(installation: Installation, api: RemoteBotApi, fleet: Path, storm: Storm) -> Count:
    killer = _Killer(installation, fleet, storm)
    asked: dict[int, float] = {}
    begun = time.monotonic()
    killer.start()
    for chat in range(1, storm.messages + 1):
        due = begun + chat * storm.seconds / storm.messages
        time.sleep(max(0.0, due - time.monotonic()))
        asked[chat] = time.monotonic()
        api.say(token(chat % storm.bots), chat, "ping" if chat % 3 else f"tell me about {chat}")
    killer.join()
    if killer.error:
        raise killer.error
    installation.wait_ready()
    return _count(installation, api, asked, killer, begun)


def _count(
    installation: Installation, api: RemoteBotApi, asked: dict[int, float], killer: _Killer, begun: float
) -> Count:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        open_rows = installation.rows(
            "SELECT (SELECT count(*) FROM inbox WHERE status IN ('new', 'running')),"
            " (SELECT count(*) FROM outbox WHERE status = 'new'), (SELECT count(*) FROM inbox)"
        )[0]
        if open_rows[:2] == (0, 0) and open_rows[2] >= len(asked):
            break
        time.sleep(0.2)
    count = Count(seconds=time.monotonic() - begun)
    for _, victim in killer.killed:
        name = "bot" if victim.startswith("b") else victim
        count.kills[name] = count.kills.get(name, 0) + 1
    for chat, at in asked.items():
        shown = api.visible(chat)
        if not shown:
            count.lost.append(chat)
            continue
        count.slowest = max(count.slowest, shown[0]["at"] - at)
        if len(shown) > 1:
            excused = any(0 <= when - shown[0]["at"] <= EXCUSED_WITHIN for when, _ in killer.killed)
            (count.excused if excused else count.doubled).append(chat)
    return count
