"""What the person at the terminal reads while Botyard starts and runs."""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from typing import TextIO

from core.fleet.component import Component
from core.fleet.states import BACKOFF, DEGRADED, PARKED, READY, SERVING, STOPPED
from core.fleet.unit import Unit

TEXTS = {
    "lock": ("waiting for another Botyard in {path} to end", "жду, пока завершится другой Botyard в {path}"),
    "locked": (
        "Another Botyard runs in {path}. Stop it, or set BOTYARD_HOME to another folder.",
        "В {path} уже работает другой Botyard. Остановите его или задайте другую папку в BOTYARD_HOME.",
    ),
    "port": ("waiting for port {port} to become free", "жду, пока освободится порт {port}"),
    "port_taken": (
        "Port {port} on {host} is used by another program. Stop it, or set BOTYARD_PORT.",
        "Порт {port} на {host} занят другой программой. Остановите её или задайте BOTYARD_PORT.",
    ),
    "host_wrong": (
        "BOTYARD_HOST: {host} is no address of this machine ({reason}).",
        "BOTYARD_HOST: {host} — не адрес этой машины ({reason}).",
    ),
    "folder": (
        "The folder {path} cannot be used: {reason}. Set BOTYARD_HOME to one that can.",
        "Папку {path} нельзя использовать: {reason}. Укажите другую в BOTYARD_HOME.",
    ),
    "settings": ("Settings that cannot be used:", "Настройки, которые нельзя использовать:"),
    "fleet": ("The fleet file {path} has errors:", "В файле флота {path} есть ошибки:"),
    "fleet_good": ("{path}: no errors ({what})", "{path}: ошибок нет ({what})"),
    "fleet_read": ("fleet file read again: {path}", "файл флота прочитан заново: {path}"),
    "database": (
        "The database cannot be used: {reason}",
        "Базой данных нельзя воспользоваться: {reason}",
    ),
    "migrated": ("database brought up to date", "база данных обновлена"),
    "panel": ("Panel", "Панель"),
    "set_up": ("Set up", "Настройка"),
    "set_up_note": ("(works once: make your account here)", "(одноразовая: создайте здесь учётную запись)"),
    "demo": ("Demo page", "Демо-страница"),
    "token": ("API token", "Токен API"),
    "token_note": ("(shown only now)", "(показан только сейчас)"),
    "web_ready": ("panel ready in {seconds} s", "панель готова за {seconds} с"),
    "ready": ("{ready} of {all} ready", "готово {ready} из {all}"),
    "all_ready": ("all {all} ready in {seconds} s", "все {all} готовы за {seconds} с"),
    "none": ("no bots or widgets are on yet", "ботов и виджетов пока нет"),
    "parked": ("{name} is parked: {reason}", "{name} остановлен до исправления: {reason}"),
    "waits": ("{name} failed and will be tried again: {reason}", "{name}: сбой, будет повтор: {reason}"),
    "degraded": ("{name} has trouble: {reason}", "{name}: неполадки: {reason}"),
    "draining": ("finishing running answers …", "завершаю начатые ответы …"),
    "stopped": ("stopped", "остановлен"),
}
FAILING = {PARKED: "parked", BACKOFF: "waits", DEGRADED: "degraded"}


def language_of(environ: Mapping[str, str]) -> str:
    """The terminal's language: ru or en."""
    chosen = environ.get("LC_ALL") or environ.get("LC_MESSAGES") or environ.get("LANG") or ""
    return "ru" if chosen.lower().startswith("ru") else "en"


class Terminal:
    """Prints short lines in the reader's language."""

    def __init__(self, out: TextIO | None = None, language: str | None = None) -> None:
        self.language = language or language_of(os.environ)
        self.begun = time.monotonic()
        self._out = out or sys.stdout

    def text(self, key: str, **values: object) -> str:
        """One text."""
        return TEXTS[key][self.language == "ru"].format(**values)

    def line(self, text: str) -> None:
        """Print a line; a terminal that went away is no reason to stop the fleet."""
        try:
            print(text, file=self._out, flush=True)
        except (OSError, ValueError):
            self._out = open(os.devnull, "w")  # noqa: SIM115 - for the rest of the process

    def say(self, key: str, **values: object) -> None:
        """Print one text as a step."""
        self.line(f"  {self.text(key, **values)}")

    def address(self, key: str, address: str, note: str = "") -> None:
        """Print a named address."""
        self.line(f"  {self.text(key):<14} {address}  {self.text(note) if note else ''}".rstrip())

    async def follow(self, components: Mapping[str, Component], units: Mapping[str, Unit]) -> None:
        """Tell how the start goes, and later what fails, until cancelled."""
        told: dict[str, str] = {}
        counted, shown_at, web_told, settled = -1, self.begun, False, False
        while True:
            web = components.get("web")
            if web and web.state == READY and not web_told:
                web_told = True
                self.say("web_ready", seconds=self._seconds())
            on = [unit for unit in units.values() if unit.wanted.enabled]
            ready = sum(unit.state == READY for unit in on)
            if not settled and all(unit.state in (*SERVING, PARKED, BACKOFF) for unit in on):
                settled = True
                self._settled(ready, len(on), ready != counted)
            elif not settled and ready != counted and time.monotonic() - shown_at >= 1:
                counted, shown_at = ready, time.monotonic()
                self.say("ready", ready=ready, all=len(on))
            self._tell_failures(components, units, told)
            await asyncio.sleep(0.1 if not (settled and web_told) else 0.5)

    def _settled(self, ready: int, wanted: int, news: bool) -> None:
        if not wanted:
            self.say("none")
        elif ready == wanted:
            self.say("all_ready", all=wanted, seconds=self._seconds())
        elif news:
            self.say("ready", ready=ready, all=wanted)

    def _tell_failures(
        self, components: Mapping[str, Component], units: Mapping[str, Unit], told: dict[str, str]
    ) -> None:
        owners: dict[str, Unit | Component] = {**components, **units}
        for key, owner in owners.items():
            if owner.state in FAILING:
                reason = (owner.reason.splitlines() or [""])[0]
                if told.get(key) != reason:
                    told[key] = reason
                    name = owner.wanted.name if isinstance(owner, Unit) else owner.name
                    self.say(FAILING[owner.state], name=name, reason=reason)
            elif owner.state in (READY, STOPPED):
                told.pop(key, None)

    def _seconds(self) -> str:
        return f"{time.monotonic() - self.begun:.1f}"
