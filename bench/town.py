"""One installation between fakes, as the benches measure it."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import cpu_seconds, pss_kb
from tests.fakes.remote import RemoteBotApi, RemoteLLM
from tests.fleets import token, write_fleet
from tests.installation import Installation


@dataclass
class Town:
    """Fakes and the installation; `started_in` is the time until all was ready."""

    api: RemoteBotApi
    installation: Installation
    fleet: Path
    bots: int
    started_in: float = 0.0

    def bot_pids(self) -> list[int]:
        """The bots' processes."""
        return [pid for (pid,) in self.installation.rows(
            "SELECT pid FROM channel WHERE kind = 'telegram' AND pid IS NOT NULL")]  # fmt: skip

    def all_pids(self) -> list[int]:
        """Every process of the installation."""
        return [process.pid for process in self.installation.descendants()]

    def cpu(self) -> float:
        """CPU seconds of every process so far."""
        return sum(cpu_seconds(pid) for pid in self.all_pids())

    def pss_mb(self, pids: list[int]) -> float:
        """Their proportional memory in MB."""
        return sum(pss_kb(pid) for pid in pids) / 1024

    def warm_up(self, rounds: int = 5) -> None:
        """Some messages through every bot."""
        for number in range(rounds):
            chats = [900_000 + 1000 * number + bot for bot in range(self.bots)]
            self.api.say_many([(token(bot), chat, "ping") for bot, chat in enumerate(chats)])
            for chat in chats:
                self.api.wait(chat, timeout=60)
        time.sleep(1)


@contextmanager
def town(bots: int, *, llm: RemoteLLM | None = None) -> Iterator[Town]:
    """A started installation with so many bots."""
    with tempfile.TemporaryDirectory(prefix="botyard-bench-") as folder, RemoteBotApi() as api:
        fleet = write_fleet(Path(folder) / "fleet.toml", bots, api.root, llm.url if llm else "")
        installation = Installation(Path(folder) / "home")
        try:
            started = installation.start("--fleet", str(fleet), timeout=180)
            yield Town(api, installation, fleet, bots, started)
        finally:
            installation.stop()
