"""How large a model's parts are, read from the headers of its safetensors files."""

import json
import logging
import math
import os
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

LONGEST_HEADER = 100_000_000  # the format's own limit
PACKED = ("U8", "I8")  # weights quantised in the file stay so: a byte each, half of what others take
VARIANT = re.compile(r"\.(fp16|bf16|non_ema|fp32)(?=[.-])")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Weights:
    """`parts` are the numbers (parameters) of each part that the pipeline loads; `disk` is bytes of files."""

    parts: dict[str, int] = field(default_factory=dict)
    disk: int = 0

    @property
    def whole(self) -> int:
        """Parameters of all parts."""
        return sum(self.parts.values())

    @property
    def largest(self) -> int:
        """Parameters of the largest part."""
        return max(self.parts.values(), default=0)


def weights_of(folder: Path) -> Weights:
    """The parts that model_index.json names. What lies beside them (a single file of everything, copies in
    other precisions) is not loaded and does not count."""
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Weights()
    parts, disk = {}, 0
    for name in index if isinstance(index, dict) else ():
        try:
            files = _files(folder / str(name))
            stamps = [_stamp(path) for path in files]
        except OSError as error:  # it has just been deleted
            logger.info("%s: %s", folder, error)
            continue
        if files:
            parts[str(name)] = sum(
                _numbers(f"{path}", *stamp) for path, stamp in zip(files, stamps, strict=True)
            )
            disk += sum(size for size, _ in stamps)
    return Weights(parts, disk)


def _files(part: Path) -> list[Path]:
    """The files of one part: without a variant where there are such."""
    if part.name.startswith("_") or not part.is_dir():
        return []
    files = sorted(part.glob("*.safetensors"))
    plain = [path for path in files if not VARIANT.search(path.name)]
    if plain or not files:
        return plain
    first = VARIANT.search(files[0].name)
    return [path for path in files if first and f".{first[1]}" in path.name]


def variant_of(folder: Path) -> str | None:
    """The variant to load when some part comes in no other."""
    for part in sorted(one for one in folder.iterdir() if one.is_dir()):
        files = _files(part)
        if files and (found := VARIANT.search(files[0].name)):
            return found[1]
    return None


def _stamp(path: Path) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=4096)
def _numbers(path: str, size: int, _changed: int) -> int:
    """How many numbers a file holds; half of its bytes where its header cannot be read."""
    try:
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(LONGEST_HEADER, size):
                raise ValueError("the header is longer than the file")
            header = json.loads(file.read(length))
        tensors = [one for name, one in header.items() if name != "__metadata__"]
        return sum(math.prod(one["shape"]) // (2 if one["dtype"] in PACKED else 1) for one in tensors)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logger.warning("%s: not a safetensors header: %s", path, error)
        return size // 2
