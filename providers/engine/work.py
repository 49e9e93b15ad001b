"""The jobs of an engine host: idempotent by key, kept in memory; results lie on the disk until fetched."""

import asyncio
import logging
import shutil
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from providers.engine.child import Cancelled, Child, ChildDied, RunFailed
from providers.engine.family import NoFamily
from providers.engine.models import PROFILES
from providers.engine.residence import Residence, SetAside
from providers.engine.resident import Resident
from providers.engine.text.memory import NoRoom

WAITING, LOADING, RUNNING, SAVING = "waiting", "loading", "running", "saving"
DONE, FAILED, CANCELLED = "done", "failed", "cancelled"
ENDED = (DONE, FAILED, CANCELLED)
MOST_JOBS = 2000  # remembered
MOST_WAITING = 200
KEPT_INPUTS = 3600.0  # seconds after an input was sent, and as long as a job needs it
CANCEL_GRACE = 10.0  # seconds for a cancel to be heard at the next step
SILENT = 300.0  # seconds without a step before an engine counts as hung
TOLD_AS = {"memory": "overload", "disk": "transient"}
ASKER = ("caller", "content")  # failures that say nothing of the model
LOWEST_PROFILE = len(PROFILES) - 1
logger = logging.getLogger(__name__)


class Full(Exception):
    """No more jobs are taken now."""


@dataclass(slots=True)
class Work:
    """One job. `killed` counts the engines that died under it; one that was `dropped` has not ended: the host
    ends before it."""

    id: str
    key: str
    model: str
    request: Mapping[str, Any]
    previews: bool
    state: str = WAITING
    step: int = 0
    steps: int = 0
    preview: str = ""
    error: dict[str, str] | None = None
    outputs: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    killed: int = 0
    cancel: bool = False
    dropped: bool = False
    made_at: float = field(default_factory=time.monotonic)
    began_at: float = 0.0
    heard_at: float = 0.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def touch(self) -> None:
        """Something changed."""
        self.changed.set()
        self.changed = asyncio.Event()


class Shop:
    """Takes jobs and has them made; `folder` holds inputs and outputs."""

    def __init__(self, residence: Residence, folder: Path, silent: float = SILENT) -> None:
        self.folder = folder
        self._residence = residence
        self._silent = silent
        self._jobs: OrderedDict[str, Work] = OrderedDict()
        self._keys: dict[str, str] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._usual: dict[str, float] = {}

    def find(self, job_id: str) -> Work | None:
        """A job by its id."""
        return self._jobs.get(job_id)

    def submit(self, key: str, model: str, request: Mapping[str, Any], previews: bool) -> Work:
        """Take a job; the same key again is the same job. Raises Full."""
        if key in self._keys:
            return self._jobs[self._keys[key]]
        if sum(job.state not in ENDED for job in self._jobs.values()) >= MOST_WAITING:
            raise Full
        job = Work(uuid.uuid4().hex, key, model, request, previews)
        self._jobs[job.id], self._keys[key] = job, job.id
        self._forget_old()
        task = self._tasks[job.id] = asyncio.create_task(self._make(job))
        task.add_done_callback(lambda _: self._tasks.pop(job.id, None))
        return job

    def position(self, job: Work) -> int:
        """How many jobs that wait for the same model come before."""
        if job.state not in (WAITING, LOADING):
            return 0
        return sum(
            other.model == job.model and other.state not in ENDED and other.made_at < job.made_at
            for other in self._jobs.values()
        )

    def eta(self, job: Work) -> float | None:
        """Seconds that are left, as far as can be told."""
        if job.state == RUNNING and job.step:
            return (time.monotonic() - job.began_at) / job.step * (job.steps - job.step)
        usual = self._usual.get(job.model)
        return usual * (self.position(job) + 1) if usual and job.state in (WAITING, LOADING) else None

    def cancel(self, job: Work) -> None:
        """Stop a job: at once while it waits, at the next step while it runs."""
        if job.state in ENDED:
            return
        job.cancel = True
        task = self._tasks.get(job.id)
        if job.state in (WAITING, LOADING) and task is not None:
            task.cancel()
        job.touch()

    def discard(self, output: str) -> bool:
        """Delete a result that was fetched; False for what is not there."""
        path = self.output(output)
        if path is None:
            return False
        path.unlink(missing_ok=True)
        return True

    def output(self, name: str) -> Path | None:
        """The file of a result."""
        job_id, _, _ = name.partition("-")
        job = self._jobs.get(job_id)
        known = next((one for one in job.outputs if one["id"] == name), None) if job else None
        path = self._folder(job_id) / known["name"] if known else None
        return path if path is not None and path.exists() else None

    async def close(self) -> None:
        """Drop all jobs. Nobody wished them cancelled: who follows one hears only that the line ends."""
        for task in list(self._tasks.values()):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _make(self, job: Work) -> None:
        try:
            await self._tries(job)
        except asyncio.CancelledError:
            if job.cancel:
                return self._end(job, CANCELLED)
            job.dropped = True
            job.touch()
            raise
        except NoRoom as error:
            held = f", held by {', '.join(error.held_by)}" if error.held_by else ""
            self._fail(job, "overload", f"needs {error.need} bytes, {error.have} can be had{held}")
        except SetAside as error:
            self._fail(job, "overload", str(error))
        except NoFamily as error:
            self._fail(job, "model_gone", str(error))
        except RunFailed as error:
            if error.kind not in ASKER:
                self._residence.proofs.tried(job.model, str(error))
            words = f"the host's disk: {error}" if error.kind == "disk" else str(error)
            self._fail(job, TOLD_AS.get(error.kind, error.kind), words)
        except ChildDied as error:
            self._residence.proofs.tried(job.model, f"the engine died: {error}")
            self._fail(job, "died", f"the engine died: {error}")
        except OSError as error:
            self._residence.proofs.tried(job.model, f"the host's disk: {error.strerror}")
            self._fail(job, "transient", f"the host's disk: {error.strerror}")
        except Exception:  # process edge: one job must not end the host
            logger.exception("job %s failed", job.id)
            self._fail(job, "transient", "the engine host failed; see its log")

    async def _tries(self, job: Work) -> None:
        """Make it; once more, sparing memory, when there was not enough."""
        resident = self._residence.find(job.model)
        if resident is None:
            raise RunFailed("model_gone", f"no model {job.model!r} here")
        while True:
            try:
                return await self._once(job, resident)
            except RunFailed as error:
                if error.kind != "memory" or resident.manner.profile >= LOWEST_PROFILE:
                    raise
                resident.profile = resident.manner.profile + 1
                logger.warning("%s: out of memory, again with profile %s", job.model, resident.profile)

    async def _once(self, job: Work, resident: Resident) -> None:
        def waits(state: str) -> None:
            job.state = state
            job.touch()

        folder = self._folder(job.id)
        async with self._residence.use(resident, waits, job.request) as child:
            if job.cancel:
                raise asyncio.CancelledError
            await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
            job.state, job.began_at, job.heard_at = RUNNING, time.monotonic(), time.monotonic()
            job.touch()
            order = {
                "id": job.id, "request": self._with_paths(job.request), "out": str(folder),
                "previews": job.previews, "profile": resident.manner.profile,
            }  # fmt: skip
            made = await self._watched(job, resident, child, order)
            await self._residence.learn(resident, job.request, int(made.get("peak") or 0))
        job.state = SAVING
        self._usual[job.model] = time.monotonic() - job.began_at
        self._residence.proofs.tried(job.model)
        job.settings = dict(made.get("settings") or {})
        job.outputs = [_output_of(job, at, one) for at, one in enumerate(made["files"])]
        self._end(job, DONE)

    async def _watched(
        self, job: Work, resident: Resident, child: Child, order: dict[str, Any]
    ) -> dict[str, Any]:
        """Run, listening for a cancel and for silence."""
        running = asyncio.create_task(child.run(order, lambda event: self._heard(job, event)))
        asked = 0.0
        try:
            while not running.done():
                await asyncio.wait({running}, timeout=0.2)
                moment = time.monotonic()
                if job.cancel and not asked:
                    asked = moment
                    child.cancel(job.id)
                silent = moment - job.heard_at > self._silent
                if not running.done() and (silent or (asked and moment - asked > CANCEL_GRACE)):
                    child.kill()
            return running.result()
        except Cancelled:
            raise asyncio.CancelledError from None
        except ChildDied as error:
            await self._residence.died(resident, child, str(error))
            if job.cancel:
                raise asyncio.CancelledError from None
            job.killed += 1
            raise
        finally:
            running.cancel()

    def _heard(self, job: Work, event: dict[str, Any]) -> None:
        job.heard_at = time.monotonic()
        if event["event"] == "step":
            self._residence.proofs.step(job.model)
            job.step, job.steps = int(event["step"]), int(event["steps"])
        else:
            job.preview = str(event["body"])
        job.touch()

    def _with_paths(self, request: Mapping[str, Any]) -> dict[str, Any]:
        inputs = [
            {**one, "path": str(self.folder / "inputs" / one["digest"])} for one in request.get("inputs", ())
        ]
        return {**request, "inputs": inputs}

    def _fail(self, job: Work, kind: str, message: str) -> None:
        logger.warning("job %s of %s: %s: %s", job.id, job.model, kind, message)
        job.error = {"class": kind, "message": message}
        self._end(job, FAILED)

    def _end(self, job: Work, state: str) -> None:
        job.state = state
        if state != DONE:
            shutil.rmtree(self._folder(job.id), ignore_errors=True)
        self._forget_inputs()
        job.touch()

    def _forget_inputs(self) -> None:
        """Delete what no job needs and nobody has sent lately."""
        pending = [job for job in self._jobs.values() if job.state not in ENDED]
        used = {str(one["digest"]) for job in pending for one in job.request.get("inputs", ())}
        for path in (self.folder / "inputs").glob("*"):
            with suppress(OSError):
                if path.name not in used and path.stat().st_mtime < time.time() - KEPT_INPUTS:
                    path.unlink()

    def _folder(self, job_id: str) -> Path:
        return self.folder / "outputs" / job_id

    def _forget_old(self) -> None:
        for job in list(self._jobs.values())[: max(0, len(self._jobs) - MOST_JOBS)]:
            if job.state in ENDED:
                del self._jobs[job.id]
                self._keys.pop(job.key, None)
                shutil.rmtree(self._folder(job.id), ignore_errors=True)


def _output_of(job: Work, at: int, made: Mapping[str, str]) -> dict[str, Any]:
    path = Path(made["path"])
    return {"id": f"{job.id}-{at}", "name": path.name, "mime": made["mime"], "bytes": path.stat().st_size}
