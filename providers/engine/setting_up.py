"""Families set up through the host: which there are, and one installation at a time with its progress.

An installation is a child of its own (providers/engine/families.py) that dies with the host. What it made is
used from then on: nothing needs to be started anew.
"""

import asyncio
import json
import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from providers.engine.answers import refusal
from providers.engine.families import FAMILIES, ROOT, Family, sizes, state, told
from providers.engine.process import Child, reap_orphans, spawn

RUNNING, DONE, FAILED, CANCELLED = "running", "done", "failed", "cancelled"
MOST_LINES = 40
GRACE = 5.0  # seconds for pip to stop
PASSED = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_CACHE_HOME", "SSL_CERT_FILE", "SSL_CERT_DIR")
PASSED_KINDS = ("PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY")
COMMAND = (sys.executable, "-m", "providers.engine.families", "--json", "install")
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Job:
    """One installation. `why` says why it failed."""

    state: str = RUNNING
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_LINES))
    fraction: float | None = None
    why: str = ""
    said_done: bool = False
    packages: int = 0
    collected: int = 0
    step: tuple[int, int] = (0, 0)

    def as_json(self) -> dict[str, Any]:
        """For the panel."""
        return {
            "state": self.state, "lines": list(self.lines), "fraction": self.fraction, "why": self.why,
        }  # fmt: skip

    def heard(self, line: str) -> None:
        """A line of the child; what makes no sense is passed over."""
        try:
            said = json.loads(line)
            event = str(said["event"])
            self._note(event, said)
            self.lines.append(told(event, said)[:300])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            logger.debug("not a line of an installation (%s): %.200s", type(error).__name__, line)

    def ended(self, code: int, last_words: str) -> None:
        """The child is gone."""
        if self.state != RUNNING:
            return
        if self.said_done and code == 0:
            self.state, self.fraction = DONE, 1.0
        else:
            self.state = FAILED
            self.why = self.why or f"it ended with {code}: {last_words[-1000:] or 'it said nothing'}"

    def _note(self, event: str, said: Mapping[str, Any]) -> None:
        match event:
            case "plan":
                self.packages, self.fraction = int(said["packages"]), 0.0
            case "step":
                self.step, self.collected = (int(said["step"]), int(said["steps"])), 0
            case "progress":
                self.collected += str(said["text"]).startswith("Collecting ")
            case "error":
                self.why = str(said["reason"])[:2000]
            case "done":
                self.said_done = True
        number, steps = self.step
        if steps:
            share = min(self.collected / max(self.packages, 1), 0.9)
            self.fraction = min(max(0.0, (number - 1 + share) / steps), 1.0)


class SettingUp:
    """The families of a host. `on_ready` hears of one that can be used from now on; `command` is the words
    before the family's name."""

    def __init__(
        self,
        records: Path,
        on_ready: Callable[[str], None],
        families: Mapping[str, Family] = FAMILIES,
        root: Path = ROOT,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._records = records
        self._on_ready = on_ready
        self._families = families
        self._root = root
        self._command = command
        self._jobs: dict[str, Job] = {}
        self._child: Child | None = None
        self._name = ""
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """End what an earlier life left running."""
        await asyncio.to_thread(reap_orphans, self._records)

    def routes(self) -> list[web.RouteDef]:
        """GET /families, POST /families/NAME/install and cancel."""
        return [
            web.get("/families", self._all),
            web.post("/families/{name}/install", self._install),
            web.post("/families/{name}/cancel", self._cancel),
        ]

    @property
    def running(self) -> str:
        """The family that is being set up; "" when none is."""
        return self._name if self._task is not None and not self._task.done() else ""

    def shown(self, name: str) -> dict[str, Any]:
        """One family for the panel."""
        family, job = self._families[name], self._jobs.get(name)
        download, disk = sizes(family)
        now = state(family, self._root)
        return {
            "name": name, "about": family.about, "installed": now in ("ready", "outdated"),
            "stale": now == "outdated", "download_mib": download, "disk_mib": disk, "gpu": family.gpu,
            "job": job.as_json() if job else None,
        }  # fmt: skip

    async def cancel(self, name: str) -> None:
        """Stop it; nothing happens where it does not run. What is half done is done again next time."""
        job, task = self._jobs.get(name), self._task
        if job is None or task is None or job.state != RUNNING:
            return
        job.state = CANCELLED
        if self._child is not None:
            await self._child.end(GRACE)
        await asyncio.wait({task})

    async def close(self) -> None:
        """Stop what runs."""
        await self.cancel(self.running)

    async def _all(self, _request: web.Request) -> web.Response:
        return web.json_response({"families": [self.shown(name) for name in self._families]})

    async def _install(self, request: web.Request) -> web.Response:
        name, busy = request.match_info["name"], self.running
        if name not in self._families:
            return _unknown(name)
        if busy and (busy != name or self._jobs[name].state != RUNNING):
            return refusal(409, "busy", f"{busy} is being set up: wait for it, or cancel it")
        if not busy:
            job, self._name = Job(), name
            self._jobs[name] = job
            self._task = asyncio.create_task(self._run(name, job))
        return web.json_response(self.shown(name), status=202)

    async def _cancel(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._families:
            return _unknown(name)
        await self.cancel(name)
        return web.json_response(self.shown(name))

    async def _run(self, name: str, job: Job) -> None:
        logger.info("%s is being set up", name)
        try:
            environment, command = _environment(), (*self._command, name)
            child = await spawn(command, environment, self._records, job.heard, self._root)
            self._child = child
            if job.state == RUNNING:
                await child.wait()
            await child.end(GRACE)
            job.ended(child.exit_code or 0, child.last_words())
        except OSError as error:
            job.state, job.why = FAILED, f"it cannot be run: {error}"
        except Exception as error:  # process edge: the panel must hear why
            logger.exception("setting %s up broke", name)
            job.state, job.why = FAILED, type(error).__name__
        finally:
            self._child = None
        logger.info("%s: %s %s", name, job.state, job.why)
        if job.state == DONE:
            self._on_ready(name)


def _environment() -> dict[str, str]:
    """What pip may see: how to reach its index, and no secrets of the host's."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in PASSED or name.upper().startswith(PASSED_KINDS)
    }


def _unknown(name: str) -> web.Response:
    return refusal(404, "family", f"there is no family {name!r}")
