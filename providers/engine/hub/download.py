"""Downloads of models: each in a child, with its progress; cancelled and gone on with at will."""

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

LOG = logging.getLogger(__name__)
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.\-]{0,95}/[A-Za-z0-9][\w.\-]{0,95}|[A-Za-z0-9][\w.\-]{0,95}")
REVISION = re.compile(r"[A-Za-z0-9][\w.\-]{0,99}")
FETCH = Path(__file__).with_name("fetch.py")
PASSED = (
    "PATH",
    "HOME",
    "LANG",
    "HF_ENDPOINT",
    "HF_TOKEN",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
)
QUIET = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
MOST = 2  # at a time


class BadRepository(ValueError):
    """A name that no repository can have."""


@dataclass(slots=True)
class Download:
    """One download. `state` is waiting, downloading, done, failed or cancelled; `kind` is a failed one's
    class of error: model_gone, auth, caller, full_disk or transient."""

    repo: str
    revision: str = "main"
    state: str = "waiting"
    bytes: int = 0
    total: int = 0
    files: int = 0
    folder: str = ""
    kind: str = ""
    why: str = ""
    began: float = field(default_factory=time.time)

    def as_json(self) -> dict[str, Any]:
        """For GET /downloads; `fraction` is 0 to 1."""
        return asdict(self) | {"fraction": self.bytes / self.total if self.total else 0.0}

    def note(self, event: Mapping[str, Any]) -> None:
        """What the child said."""
        match event.get("event"):
            case "plan":
                self.total, self.files, self.bytes = event["bytes"], event["files"], event["cached"]
            case "progress":
                self.bytes = max(self.bytes, event["bytes"])
            case "done":
                self.state, self.bytes, self.folder = "done", self.total, event["folder"]
            case "error":
                self.state, self.kind, self.why = "failed", event["class"], event["reason"]


class Downloads:
    """The downloads of a host. `python` finds the interpreter of a family that has the
    hub's client."""

    def __init__(self, python: Callable[[], Path], cache: Path, environment: Mapping[str, str]) -> None:
        self._python = python
        self._cache = cache
        self._environment = {name: environment[name] for name in PASSED if name in environment}
        self._downloads: dict[str, Download] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(MOST)

    def start(self, repo: str, revision: str = "main") -> Download:
        """Begin, or go on after a stop; one that is under way is returned as it is. Raises BadRepository."""
        if not (REPOSITORY.fullmatch(repo) and REVISION.fullmatch(revision)) or ".." in repo or "--" in repo:
            raise BadRepository("a repository is named OWNER/NAME")
        task = self._tasks.get(repo)
        if task is None or task.done():
            download = self._downloads[repo] = Download(repo, revision)
            self._tasks[repo] = asyncio.create_task(self._run(download))
        return self._downloads[repo]

    def all(self) -> list[Download]:
        """Every download since the host began, the newest first."""
        return sorted(self._downloads.values(), key=lambda one: -one.began)

    async def cancel(self, repo: str) -> None:
        """Stop it; what is complete stays. Nothing happens where there is none."""
        task = self._tasks.get(repo)
        if task and not task.done():
            task.cancel()
            await asyncio.wait({task})
            if self._downloads[repo].state == "waiting":  # it had not even begun
                self._downloads[repo].state = "cancelled"

    async def close(self) -> None:
        """Stop all."""
        for repo in list(self._tasks):
            await self.cancel(repo)

    async def _run(self, download: Download) -> None:
        try:
            async with self._places:
                download.state = "downloading"
                await self._fetch(download)
        except asyncio.CancelledError:
            download.state = "cancelled"
            raise
        except OSError as error:
            download.state, download.kind, download.why = "failed", "caller", f"cannot be run: {error}"
        except Exception as error:
            LOG.exception("Download of %s broke", download.repo)
            download.state, download.kind, download.why = "failed", "bug", type(error).__name__
        LOG.info("Download of %s: %s %s", download.repo, download.state, download.why)

    async def _fetch(self, download: Download) -> None:
        argv = [str(self._python()), "-u", str(FETCH), download.repo, download.revision, str(self._cache)]
        process = await asyncio.create_subprocess_exec(
            *argv, env=self._environment | QUIET | {"HF_HOME": str(self._cache.parent)},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            assert process.stdout and process.stderr
            errors = asyncio.create_task(process.stderr.read(1 << 20))
            async for line in process.stdout:
                with suppress(ValueError):
                    download.note(json.loads(line))
            code = await process.wait()
            if download.state == "downloading":
                download.state, download.kind = "failed", "transient"
                download.why = f"ended with {code}: {(await errors).decode(errors='replace')[-500:]}"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
                await asyncio.to_thread(self._clear, download.repo)

    def _clear(self, repo: str) -> None:
        """Halves of files are of no use: the client begins such a file anew."""
        for left in (self._cache / f"models--{repo.replace('/', '--')}" / "blobs").glob("*.incomplete"):
            left.unlink()
