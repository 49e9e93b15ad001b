"""The life of the orchestrator: from an empty folder to a running fleet, and down again."""

import asyncio
import logging
import os
import signal
from pathlib import Path

from dotenv import dotenv_values
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from core.api_tokens import first_token
from core.fleet.file import FleetErrors, apply_fleet, check_fleet, parse_fleet
from core.fleet.first import FIRST_BOT, offer_found, prepare_rows
from core.fleet.logs import LogBook, LogHandler, open_logs
from core.fleet.parts import Parts, Setup
from core.fleet.place import StartFailed, await_port, prepare_folders, raise_file_limit, take_home
from core.fleet.states import EXIT_CONFIGURATION
from core.fleet.supervisor import Supervisor
from core.fleet.terminal import Terminal
from core.housekeeping import keep_house
from core.media.opening import open_store
from core.secrets import BadKey, Vault, load_vault
from core.settings import Settings, load_settings
from core.setup_link import setup_link
from db.database import Database
from db.schema import MigrationFailed, NewerDatabase, ensure_schema

BAD_FLEET = 2
FAILED = 1
EVERYTHING = Parts()
logger = logging.getLogger("orchestrator")


def check(path: Path, terminal: Terminal) -> int:
    """Print everything that is wrong with a fleet file; 2 when anything is."""
    try:
        fleet = check_fleet(path, fleet_environment())
    except FleetErrors as errors:
        terminal.line("\n".join([terminal.text("fleet", path=path), *_indented(errors, terminal)]))
        return BAD_FLEET
    counts = {"bots": fleet.bots, "widgets": fleet.widgets, "routes": fleet.routes, "faq": fleet.faq}
    what = ", ".join(f"{name}: {len(entries)}" for name, entries in counts.items())
    terminal.say("fleet_good", path=path, what=what)
    return 0


def run(fleet: Path | None, terminal: Terminal, parts: Parts = EVERYTHING) -> int:
    """Run until told to stop; returns the exit code."""
    try:
        settings = _settings(fleet, terminal)
        prepare_folders(settings, terminal)
        raise_file_limit()
        lock = take_home(settings, terminal, parts.timing.takeover)
        await_port(settings, terminal, parts.timing.takeover)
        logs = _start_logging(settings)
        try:
            return asyncio.run(_Life(settings, terminal, logs, parts).live())
        finally:
            lock.release()
    except StartFailed as failure:
        terminal.line(str(failure))
        return failure.code


def fleet_environment() -> dict[str, str]:
    """Where the fleet file's `${NAME}` looks: the environment, then `.env`."""
    return {**{name: value or "" for name, value in dotenv_values(".env").items()}, **os.environ}


class _Life:
    def __init__(self, settings: Settings, terminal: Terminal, logs: LogBook, parts: Parts) -> None:
        self._settings = settings
        self._terminal = terminal
        self._logs = logs
        self._parts = parts
        self._database = Database(settings.database_url)
        self._stop = asyncio.Event()
        self._supervisor: Supervisor | None = None
        self._vault: Vault | None = None
        self._reading: asyncio.Task[None] | None = None
        self._offering: asyncio.Task[None] | None = None

    async def live(self) -> int:
        """Start, wait for the end, drain."""
        try:
            vault = await self._prepare()
            supervisor = Supervisor(Setup(self._settings, self._database, vault, self._parts), self._logs)
            self._supervisor = supervisor
            self._listen_to_signals()
            await supervisor.start()
            await self._greet()
            tidying = asyncio.create_task(keep_house(self._database, open_store(self._settings)))
            following = asyncio.create_task(self._terminal.follow(supervisor.components, supervisor.units))
            await self._stop.wait()
            following.cancel()
            tidying.cancel()
            self._terminal.say("draining")
            await supervisor.stop()
            self._terminal.say("stopped")
            return 0
        except (SQLAlchemyError, OSError) as error:
            logger.exception("the orchestrator failed")
            reason = self._logs.redactor.clean(str(error).splitlines()[0])
            raise StartFailed(FAILED, self._terminal.text("database", reason=reason)) from error
        finally:
            await self._end_tasks()
            await self._database.close()

    async def _prepare(self) -> Vault:
        try:
            if await ensure_schema(self._database, self._settings.home / "backups"):
                self._terminal.say("migrated")
            self._vault = load_vault(self._settings)
        except (NewerDatabase, MigrationFailed) as error:
            text = self._terminal.text("database", reason=error)
            raise StartFailed(EXIT_CONFIGURATION, text) from error
        except BadKey as error:
            raise StartFailed(EXIT_CONFIGURATION, str(error)) from error
        environ = fleet_environment()
        if self._settings.fleet:
            await self._apply_fleet(self._settings.fleet, self._vault)
            environ[FIRST_BOT] = ""  # the file names its bots itself
        bot_token = environ.get(FIRST_BOT, "").strip()
        await prepare_rows(self._database, self._vault, bot_token, self._settings.engine_port)
        self._offering = asyncio.create_task(offer_found(self._database, self._vault, environ))
        return self._vault

    async def _apply_fleet(self, path: Path, vault: Vault) -> None:
        try:
            await apply_fleet(self._database, parse_fleet(path, fleet_environment()), vault)
        except FleetErrors as errors:
            lines = [self._terminal.text("fleet", path=path), *_indented(errors, self._terminal)]
            raise StartFailed(EXIT_CONFIGURATION, *lines) from errors

    async def _greet(self) -> None:
        terminal, url = self._terminal, self._settings.url
        terminal.line("Botyard")
        terminal.address("panel", f"{url}/")
        link = await setup_link(self._database, url)
        if link:
            terminal.address("set_up", link, "set_up_note")
        token = await first_token(self._database, self._settings.admin_token.get_secret_value())
        if token:
            self._logs.redactor.learn([token])
            terminal.address("token", token, "token_note")
        terminal.address("demo", f"{url}/demo")

    async def _end_tasks(self) -> None:
        tasks = [task for task in (self._reading, self._offering) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    def _end(self) -> None:
        if self._stop.is_set() and self._supervisor:
            self._supervisor.kill()
        self._stop.set()

    def _hang_up(self) -> None:
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_again())

    async def _read_again(self) -> None:
        """SIGHUP: the fleet file again. What cannot be read is told, and the fleet goes on as it was."""
        try:
            path = _settings(self._settings.fleet, self._terminal).fleet
            if path and self._vault:
                await self._apply_fleet(path, self._vault)
                self._terminal.say("fleet_read", path=path)
        except StartFailed as failure:
            self._terminal.line(str(failure))
        except (SQLAlchemyError, OSError):
            logger.exception("the fleet file was not applied")
        if self._supervisor:
            self._supervisor.wake()


def _settings(fleet: Path | None, terminal: Terminal) -> Settings:
    try:
        settings = load_settings()
    except ValidationError as error:
        problems = error.errors(include_input=False, include_url=False)
        lines = [f"  {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in problems]
        raise StartFailed(EXIT_CONFIGURATION, terminal.text("settings"), *lines) from error
    return settings.model_copy(update={"fleet": fleet}) if fleet else settings


def _start_logging(settings: Settings) -> LogBook:
    logs = open_logs(settings)
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(LogHandler(logs.open("orchestrator")))
    return logs


def _indented(errors: FleetErrors, terminal: Terminal) -> list[str]:
    return [f"  {line}" for line in errors.lines(terminal.language)]
