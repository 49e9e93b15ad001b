"""A storm over media: jobs of chats and of programs, on an engine host and at vendors, while everything that
touches them is killed at random; then everything is counted.

Also the benchmark of it: `python -m bench media_storm`.
"""

import asyncio
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.jobs.order import Order, Wish
from core.jobs.submit import submit
from db.database import Database
from providers.media.types import Task
from tests.fakes.media_kling import FakeKling
from tests.fakes.media_vendor import KEY
from tests.fakes.remote import RemoteBotApi, _Process
from tests.fleets import token, write_fleet
from tests.installation import Installation, wait_until

VICTIMS = ("jobs", "jobs", "jobs", "engine", "b0", "b1")


@dataclass(frozen=True)
class MediaStorm:
    """How hard it blows; `workers` are kills of the engine's child, which its breaker allows few of."""

    chats: int = 100
    found: int = 50
    never: int = 50
    kills: int = 20
    workers: int = 2
    seconds: float = 30.0
    seed: int = 11


@dataclass
class MediaCount:
    """What was left when it was over. `silent` are chats without their picture, `doubled` those with two."""

    statuses: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)
    silent: list[int] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)
    artifacts_doubled: int = 0
    submits_found: int = 0
    submits_never: int = 0
    lost: int = 0
    kills: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


def blow(folder: Path, storm: MediaStorm) -> MediaCount:
    """Run one storm and count."""
    with (
        RemoteBotApi() as api,
        _Process("tests.fakes.media", "--kind", "kling", "--looks", "2") as kling,
        _Process("tests.fakes.media", "--kind", "bfl", "--looks", "2") as bfl,
    ):
        fleet = write_fleet(folder / "fleet.toml", 2, api.root)
        installation = Installation(folder / "home", OMP_NUM_THREADS="1")
        installation.start("--fleet", str(fleet))
        try:
            _add(installation, "found", "kling", kling.root, FakeKling.secret)
            _add(installation, "never", "bfl", f"{bfl.root}/v1", KEY)
            return _run(installation, api, storm, (kling, bfl))
        finally:
            installation.stop()


def _add(installation: Installation, name: str, kind: str, address: str, key: str) -> None:
    body = {"id": name, "kind": kind, "base_url": address, "keys": [key], "media_poll": 0.05}
    status, answer = installation.get("/api/v1/providers", "POST", body)
    if status == 422:
        del body["media_poll"]
        status, answer = installation.get("/api/v1/providers", "POST", body)
    assert status == 201, answer


def _run(
    installation: Installation, api: RemoteBotApi, storm: MediaStorm, vendors: tuple[Any, Any]
) -> MediaCount:
    begun = time.monotonic()
    killer = _Killer(installation, storm)
    thread = threading.Thread(target=killer.run, daemon=True)
    thread.start()
    orders = [
        *((at, "chat") for at in range(storm.chats)),
        *((at, "found") for at in range(storm.found)),
        *((at, "never") for at in range(storm.never)),
    ]
    random.Random(storm.seed).shuffle(orders)
    for number, (at, kind) in enumerate(orders):
        due = begun + number * storm.seconds / len(orders)
        time.sleep(max(0.0, due - time.monotonic()))
        if kind == "chat":
            api.say(token(at % 2), 1000 + at, f"/image picture {at} --steps 4 --step_seconds 0.02")
        else:
            asyncio.run(_order(installation, kind, at))
    thread.join(storm.seconds + 60)
    if killer.error:
        raise killer.error
    total = len(orders)
    wait_until(lambda: _ended(installation) == total, 180, f"{total} jobs have ended")
    wait_until(lambda: not installation.rows("SELECT 1 FROM outbox WHERE status='new'"), 30, "all is sent")
    count = _count(installation, api, storm, vendors)
    count.kills, count.seconds = killer.killed, round(time.monotonic() - begun, 1)
    return count


async def _order(installation: Installation, provider: str, at: int) -> None:
    database = Database(f"sqlite:///{installation.home / 'botyard.db'}")
    model = "kling-v2-1" if provider == "found" else "flux-2-pro"
    wish = Wish(Task.TEXT_TO_IMAGE, f"{provider} {at}")
    try:
        await submit(database, Order(wish, (f"{provider}:{model}",), "api", key=f"{provider}-{at}"))
    finally:
        await database.close()


def _ended(installation: Installation) -> int:
    query = "SELECT count(*) FROM job WHERE status IN ('done', 'failed', 'cancelled')"
    return int(installation.rows(query)[0][0])


def _count(
    installation: Installation, api: RemoteBotApi, storm: MediaStorm, vendors: tuple[Any, Any]
) -> MediaCount:
    count = MediaCount()
    count.statuses = dict(installation.rows("SELECT status, count(*) FROM job GROUP BY status"))
    count.reasons = dict(
        installation.rows("SELECT reason, count(*) FROM job WHERE status <> 'done' GROUP BY reason")
    )
    for at in range(storm.chats):
        shown = [one for one in api.visible(1000 + at) if one["media"]]
        if not shown:
            count.silent.append(at)
        elif len(shown) > 1:
            count.doubled.append(at)
    twice = "SELECT job_id FROM artifact GROUP BY job_id, number HAVING count(*) > 1"
    count.artifacts_doubled = len(installation.rows(twice))
    count.submits_found, count.submits_never = (
        int(vendor.ask("/control/submits")["count"]) for vendor in vendors
    )
    count.lost = count.reasons.get("lost", 0)
    return count


class _Killer:
    def __init__(self, installation: Installation, storm: MediaStorm) -> None:
        self.installation, self.storm = installation, storm
        self.killed: dict[str, int] = {}
        self.error: BaseException | None = None

    def run(self) -> None:
        dice = random.Random(self.storm.seed)
        victims = [dice.choice(VICTIMS) for _ in range(self.storm.kills - self.storm.workers)]
        victims += ["worker"] * self.storm.workers
        dice.shuffle(victims)
        begun = time.monotonic()
        for number, victim in enumerate(victims):
            due = begun + (number + dice.random()) * self.storm.seconds / len(victims)
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                self._kill(victim)
            except Exception as error:  # noqa: BLE001  # the test's thread reads it
                self.error = error
                return

    def _kill(self, victim: str) -> None:
        for _ in range(200):
            try:
                self.installation.kill(victim)
                self.killed[victim] = self.killed.get(victim, 0) + 1
                return
            except (TimeoutError, ProcessLookupError):  # it is just being started again
                time.sleep(0.05)
