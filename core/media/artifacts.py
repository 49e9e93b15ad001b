"""Keeping what was made: first the file in the store, then the row in whoever's transaction.

A file's key comes from its job, attempt and number alone: putting it again after a crash overwrites it and
never doubles. A file whose row was never written is an orphan: core/media/artifacts_clearing.py deletes it.
"""

import asyncio
import hashlib
import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.media import stamp as stamps
from core.media.artifacts_clearing import POSTER
from core.media.artifacts_keeping import Keeping
from core.media.files import BadFile, Look, look
from core.media.files_video import write_poster
from core.media.store import Store
from db.base import now

DAY = 24 * 3600.0
LONGEST_MODEL = 240
APART = ("prompt", "params", "task", "inputs")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in the store, and what is known of it; `poster` is the key of a video's first picture, or ""."""

    key: str
    poster: str
    mime: str
    size: int
    digest: str
    width: int
    height: int
    seconds: float | None


def key_base(job: Any, number: int) -> str:
    """Where a job's file number `number` goes, without its ending: 2026/11/21/<job>-<attempt>-<number>."""
    day = time.strftime("%Y/%m/%d", time.gmtime(job.created_at))
    return f"{day}/{job.id}-{job.attempt}-{number}"


async def store_file(
    store: Store, path: Path, base: str, stamp: dict[str, Any] | None, kind: str = ""
) -> Stored:
    """Put a file that was made into the store; `stamp` (core/media/stamp.facts) goes into it. `kind` is image
    or video where only that will do. Raises BadFile, or StoreFull or StoreTrouble: those may pass."""
    seen = look(path, kind)
    with tempfile.TemporaryDirectory(prefix="botyard-media-") as folder:
        whole = await _stamped(path, Path(folder) / f"stamped{seen.suffix}", stamp)
        digest = await asyncio.to_thread(_digest, whole)
        poster = await _poster(store, path, base, seen, Path(folder))
        await store.put(base + seen.suffix, whole)
        size = whole.stat().st_size
    return Stored(base + seen.suffix, poster, seen.mime, size, digest, seen.width, seen.height, seen.seconds)


def artifact_values(
    stored: Stored, job: Any, number: int, settings: dict[str, Any], days: float
) -> dict[str, Any]:
    """The row of a stored file, for db.artifacts.add_artifact; `settings` are what was really used, `days`
    how long it is kept (core/media/artifacts_keeping.days_kept), 0 for ever."""
    request = job.request
    return {
        "job_id": job.id, "number": number, "channel_id": job.channel_id, "chat_key": job.chat_key,
        "source": job.source, "key": stored.key, "poster": stored.poster, "mime": stored.mime,
        "size": stored.size, "digest": stored.digest, "width": stored.width, "height": stored.height,
        "seconds": stored.seconds, "prompt": request["prompt"], "model": _model(job), "task": job.task,
        "settings": {**_asked(request), **settings}, "parent_id": _parent(request),
        "rating": job.rating,
        "expires_at": now() + days * DAY if days else None,
    }  # fmt: skip


def stamp_of(job: Any, settings: dict[str, Any], keeping: Keeping) -> dict[str, Any] | None:
    """What `store_file` is to write into a job's files: nothing for what people in chats asked for, unless
    the settings say so."""
    if not keeping.stamps(job.source):
        return None
    used = {**_asked(job.request), **settings}
    return stamps.facts(_model(job), job.task, job.request["prompt"], used, _parent(job.request) or "")


def _parent(request: dict[str, Any]) -> str | None:
    """The artifact that it was made from."""
    return next((one["artifact"] for one in request.get("inputs", ()) if one.get("artifact")), None)


def _model(job: Any) -> str:
    return f"{job.provider_id}:{job.model}"[:LONGEST_MODEL] if job.provider_id else str(job.model)


def _asked(request: dict[str, Any]) -> dict[str, Any]:
    """What the request said beside its prompt, flat: params like every other field."""
    kept = {
        name: value for name, value in request.items() if name not in ("prompt", "params", "task", "inputs")
    }
    return {
        name: value
        for name, value in {**kept, **(request.get("params") or {})}.items()
        if value not in (None, "")
    }


async def _stamped(path: Path, target: Path, stamp: dict[str, Any] | None) -> Path:
    """The file to be stored: a file that cannot take the stamp is stored without one."""
    if stamp is None:
        return path
    try:
        await stamps.write(path, target, stamp)
    except (BadFile, stamps.CannotStamp) as error:
        logger.warning("a file is stored without its stamp: %s", error)
        return path
    return target


async def _poster(store: Store, path: Path, base: str, seen: Look, folder: Path) -> str:
    if seen.kind != "video":
        return ""
    target = folder / "poster.jpg"
    await write_poster(path, target)
    await store.put(base + POSTER, target)
    return base + POSTER


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
