"""Why a folder of diffusers is not loaded: code, pickles, or files that lie elsewhere."""

import json
import os
from functools import lru_cache
from pathlib import Path, PurePosixPath

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
INDEX = "model_index.json"
LARGEST_INDEX = 64 << 20


def why_unsafe(folder: Path) -> str:
    """What is wrong with it; "" when it is fine."""
    try:
        files = sorted(folder.rglob("*"))
        safe = {path.parent for path in files if path.suffix == ".safetensors"}
        for path in files:
            if path.suffix == ".py":
                return f"it brings code of its own: {path.name}"
            if path.suffix in PICKLES and path.parent not in safe:
                return f"its weights are pickles, which can hold code: {path.relative_to(folder)}"
            if path.name == INDEX or path.name.endswith(".index.json"):
                found = os.stat(path)
                if wrong := _wrong(str(path), found.st_size, found.st_mtime_ns):
                    return f"{path.relative_to(folder)} {wrong}"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return ""


@lru_cache(maxsize=4096)
def _wrong(path: str, size: int, _changed: int) -> str:
    """What is wrong with an index: above all, that it names what is none of the folder's own."""
    if size > LARGEST_INDEX:
        return f"is larger than {LARGEST_INDEX} bytes"
    try:
        index = json.loads(Path(path).read_bytes())
        names = index if path.endswith(INDEX) else index.get("weight_map", {}).values()
        outside = next((str(one) for one in names if not _plain(str(one))), "")
        return f"names what lies elsewhere: {outside[:80]}" if outside else ""
    except (ValueError, AttributeError, TypeError, RecursionError):
        return "cannot be read"


def _plain(name: str) -> bool:
    """Whether it is a file or folder here, by its name alone."""
    parts = PurePosixPath(name).parts
    return bool(parts) and ".." not in parts and not name.startswith("/") and "\\" not in name
