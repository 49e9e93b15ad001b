"""The supervisor's promises with its real thresholds, on a whole installation."""

import os
import signal
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.fakes.remote import RemoteBotApi
from tests.fleets import token, write_fleet
from tests.installation import Installation, wait_until

pytestmark = [pytest.mark.kill, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def api() -> Iterator[RemoteBotApi]:
    with RemoteBotApi() as api:
        yield api


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, api: RemoteBotApi) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("town")
    fleet = write_fleet(folder / "fleet.toml", 3, api.root, widgets=("site",))
    installation = Installation(folder / "home")
    installation.start("--fleet", str(fleet))
    yield installation
    installation.stop()


def state(town: Installation, slug: str) -> tuple[str, int | None]:
    return town.rows("SELECT state, pid FROM channel WHERE slug = ?", slug)[0]  # type: ignore[return-value]


def is_back(town: Installation, slug: str, old: int) -> bool:
    now, pid = state(town, slug)
    return now == "READY" and pid not in (old, None)


def test_a_killed_bot_is_back_within_3_seconds(town: Installation) -> None:
    old, begun = town.kill("b0"), time.monotonic()
    wait_until(lambda: is_back(town, "b0", old), 3, "back")
    assert time.monotonic() - begun < 3


def test_a_bot_is_back_within_10_seconds_when_the_fork_server_died_too(town: Installation) -> None:
    town.kill("forkserver")
    old = town.kill("b1")
    wait_until(lambda: is_back(town, "b1", old), 10, "back")


def test_a_stopped_process_is_found_and_replaced_within_20_seconds(town: Installation) -> None:
    old = town.kill("b2", signal.SIGSTOP)
    wait_until(lambda: is_back(town, "b2", old), 20, "back")
    assert not psutil.pid_exists(old) or psutil.Process(old).status() == psutil.STATUS_ZOMBIE


def test_others_go_on_while_one_is_hung(town: Installation, api: RemoteBotApi) -> None:
    town.wait_ready()
    town.kill("b2", signal.SIGSTOP)
    for chat in range(9000, 9010):
        begun = time.monotonic()
        api.say(token(0), chat, "ping")
        assert api.wait(chat, timeout=5)[0]["text"] == "pong"
        assert time.monotonic() - begun < 1
    town.wait_ready(30)


def test_a_refused_token_parks_its_bot_alone(town: Installation, api: RemoteBotApi) -> None:
    api.ask("/control/revoke", {"token": token(1)})
    pid = town.pid("b1")
    if pid:  # or it heard of it by itself already
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: state(town, "b1")[0] == "PARKED", 20, "parked")
    status, ready = town.get("/ready")
    assert status == 200 and "b1" in str(ready)
    reason = town.rows("SELECT state_reason FROM channel WHERE slug = 'b1'")[0][0]
    assert "x" * 30 not in reason
    assert state(town, "b0")[0] == "READY"


def test_no_process_outlives_a_killed_orchestrator_and_the_next_start_works(town: Installation) -> None:
    family = town.descendants()
    assert len(family) >= 5
    town.kill("orchestrator")
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []
    assert town.start() < 20


def test_a_second_start_on_the_same_home_is_refused(town: Installation) -> None:
    second = Installation(town.home)
    second.log = town.home.parent / "second.log"
    begun = time.monotonic()
    second.start(ready=False)
    assert second.process is not None
    assert second.process.wait(30) == 75
    assert time.monotonic() - begun >= 5
    assert os.path.exists(town.home / "secret.key")


def test_sigterm_drains_and_leaves_nothing(town: Installation) -> None:
    town.wait_ready()
    family = town.descendants()
    assert town.stop() == 0
    assert not any(process.is_running() for process in family)
