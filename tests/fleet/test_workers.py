"""Programs on demand: the engine host knows the token that its provider asks with."""

from pathlib import Path
from types import SimpleNamespace

from core.fleet.component import Component
from core.fleet.logs import LogBook
from core.fleet.redact import Redactor
from core.fleet.states import STARTING, STOPPED
from core.fleet.web import web_environment
from core.fleet.workers import Workers
from core.settings import Settings


class Counted(Component):
    """A component whose ends are counted."""

    kills = 0

    def kill(self) -> None:
        self.kills += 1
        super().kill()


async def test_a_new_token_starts_the_engine_host_anew(tmp_path: Path) -> None:
    logs = LogBook(tmp_path, Redactor())
    made: dict[str, Counted] = {}

    def make(name: str) -> Component:
        made[name] = Counted(name, logs.open(name), lambda: None)
        return made[name]

    tokens = {"engine": ["first-token-of-it"], "bare": []}

    async def secrets(provider_id: str) -> SimpleNamespace:
        return SimpleNamespace(keys=tokens[provider_id])

    workers = Workers(Settings(BOTYARD_HOME=tmp_path, _env_file=None), make)
    engine = made["engine"]
    await workers.start_engine("bare", secrets)
    assert engine.state == STOPPED
    for _ in range(2):
        await workers.start_engine("engine", secrets)
    assert (engine.state, engine.kills) == (STARTING, 0)
    tokens["engine"] = ["another-token-of-it"]
    for _ in range(2):
        await workers.start_engine("engine", secrets)
    assert engine.kills == 1 and workers.engine._environ["BOTYARD_ENGINE_TOKEN"] == "another-token-of-it"
    logs.close()


def test_the_web_process_knows_the_engine_port_and_how_long_jobs_wait(tmp_path: Path) -> None:
    settings = Settings(BOTYARD_HOME=tmp_path, BOTYARD_ENGINE_PORT=9003, TASK_TTL_HOURS=3, _env_file=None)
    told = web_environment(settings)
    there = Settings(_env_file=None, **told)
    assert (there.engine_port, there.task_ttl_hours) == (9003, 3)
