"""The child that downloads one model: run by the interpreter of a family, which has the hub's own client.

`python fetch.py REPOSITORY REVISION CACHE` prints a JSON line for each thing that happens: plan, progress,
done or error. Files that are complete are kept when it is stopped, and the next run goes on with the others.
Only weights as safetensors and the texts beside them are asked for: no pickles and no code.
"""

import importlib
import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

WANTED = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja"]
UNWANTED = ["original/*", "consolidated*.safetensors", "onnx/*", "openvino/*", ".*"]
SPARE = 1 << 30  # bytes that stay free on the disk
EVERY = 0.5
REASONS = {
    "RepositoryNotFoundError": "model_gone", "RevisionNotFoundError": "model_gone", "GatedRepoError": "auth",
    "HFValidationError": "caller",
}  # fmt: skip


class Refused(Exception):
    """Why nothing is downloaded; the first word is a class of error."""


def main(repository: str, revision: str, cache: Path) -> int:
    """One download; the exit code is 1 when it failed."""
    hub = importlib.import_module("huggingface_hub")
    blobs = cache / f"models--{repository.replace('/', '--')}" / "blobs"
    for left in blobs.glob("*.incomplete"):
        left.unlink()
    chosen = {"revision": revision, "cache_dir": cache, "allow_patterns": WANTED, "ignore_patterns": UNWANTED}
    try:
        files = hub.snapshot_download(repository, dry_run=True, **chosen)
        total, cached = check(files, cache)
        say("plan", bytes=total, cached=cached, files=len(files))
        began = size(blobs)
        with Watch(lambda: say("progress", bytes=min(total, cached + size(blobs) - began))):
            folder = hub.snapshot_download(repository, max_workers=4, **chosen)
    except Refused as error:
        kind, _, reason = str(error).partition(" ")
        say("error", **{"class": kind}, reason=reason)
        return 1
    except (OSError, ValueError, RuntimeError) as error:
        cause = error.__cause__ or error  # the client wraps what happens while it only plans
        kind = REASONS.get(type(cause).__name__, "transient")
        say("error", **{"class": kind}, reason=f"{type(cause).__name__}: {str(cause)[:500]}")
        return 1
    say("done", bytes=total, folder=str(folder))
    return 0


def check(files: list[Any], cache: Path) -> tuple[int, int]:
    """Bytes of all files, and of those that are there. Raises Refused: no room, or nothing safe."""
    if not any(one.filename.endswith(".safetensors") for one in files):
        raise Refused("caller it has no weights as safetensors; pickles are not downloaded")
    total = sum(one.file_size or 0 for one in files)
    cached = sum(one.file_size or 0 for one in files if one.is_cached)
    cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free
    if total - cached + SPARE > free:
        raise Refused(f"full_disk it needs {total - cached} bytes and {SPARE} to spare; {free} are free")
    return total, cached


def size(folder: Path) -> int:
    """Bytes of the files in a folder; one may be renamed meanwhile."""
    found = 0
    for path in folder.glob("*"):
        try:
            found += path.stat().st_size
        except FileNotFoundError:
            continue
    return found


def say(event: str, **more: Any) -> None:
    """One line for the host, which ends this process when it no longer reads."""
    print(json.dumps({"event": event, **more}), flush=True)


class Watch:
    """Calls something again and again in a thread while the body runs."""

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(EVERY):
            try:
                self._tell()
            except OSError:  # nobody listens any more, and the next host may begin the same download
                os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
