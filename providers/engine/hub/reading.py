"""What the files of a model say: JSON, the headers of safetensors and GGUF. Each is hostile.

Nothing is read beyond a bound that the file itself cannot move, and nothing is run.
"""

import json
import math
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

MOST_JSON = 8 << 20
MOST_HEADER = 32 << 20
MOST_GGUF = 64 << 20  # of metadata; vocabularies are a few MiB
LARGEST = 1 << 50  # parameters or bytes; beyond it a number is a lie
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # GGUF's kinds of numbers
NUMBERS = {4: "<I", 5: "<i", 10: "<Q", 11: "<q"}
TEXT, ARRAY = 8, 9


class Broken(Exception):
    """A file that is not what it should be; the text is for an operator."""


@dataclass(slots=True)
class Tensors:
    """What headers promise: parameters, bytes, and bytes by kind of number. `names` are a few endings."""

    parameters: int = 0
    size: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    endings: set[str] = field(default_factory=set)

    def add(self, other: "Tensors") -> None:
        """Count another file's in."""
        self.parameters += other.parameters
        self.size += other.size
        self.endings |= other.endings
        for kind, size in other.kinds.items():
            self.kinds[kind] = self.kinds.get(kind, 0) + size


def read_json(path: Path) -> dict[str, Any]:
    """An object from a file. Raises Broken."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_JSON + 1)
        if len(data) > MOST_JSON:
            raise Broken(f"{path.name} is larger than {MOST_JSON} bytes")
        value = json.loads(data)
    except (OSError, ValueError, RecursionError) as error:
        raise Broken(f"{path.name} cannot be read: {type(error).__name__}") from error
    if not isinstance(value, dict):
        raise Broken(f"{path.name} holds no object")
    return value


def read_safetensors(path: Path, bits: int = 0) -> Tensors:
    """The header of one file; `bits` is how many a packed weight takes. Raises Broken."""
    try:
        total = path.stat().st_size
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > min(MOST_HEADER, total - 8):
                raise Broken(f"{path.name} claims a header of {length} bytes")
            entries = json.loads(file.read(length))
        if not isinstance(entries, dict):
            raise Broken(f"{path.name} has no header")
        found = Tensors()
        for name, entry in entries.items():
            if name != "__metadata__":
                _count(found, name, entry, bits)
    except (OSError, ValueError, RecursionError, struct.error, TypeError, KeyError) as error:
        raise Broken(f"{path.name} has a broken header: {type(error).__name__}") from error
    if found.size > total - 8 - length:
        raise Broken(f"{path.name} is cut off: {total} bytes for {found.size} of tensors")
    return found


def _count(found: Tensors, name: str, entry: dict[str, Any], bits: int) -> None:
    shape, (start, end), kind = entry["shape"], entry["data_offsets"], str(entry["dtype"])[:16]
    if (
        not all(type(side) is int and 0 <= side <= LARGEST for side in (*shape, start, end))
        or len(shape) > 16
    ):
        raise ValueError("shape")
    count, size = math.prod(shape), end - start
    if not (0 <= size <= LARGEST and count <= LARGEST):
        raise ValueError("size")
    ending = name.rpartition(".")[2][:40]
    if kind == "I32" and bits and ending in ("qweight", "q_weight", "weight_packed"):
        count *= 32 // bits
    found.parameters += 0 if ending in ("qzeros", "scales", "g_idx") else count
    found.size += size
    found.kinds[kind] = found.kinds.get(kind, 0) + size
    found.endings.add(ending)


def read_gguf(path: Path) -> dict[str, Any]:
    """The numbers and texts of a GGUF file's metadata, arrays left out. Raises Broken."""
    try:
        with path.open("rb") as file:
            magic, version, _, count = struct.unpack("<4sIQQ", file.read(24))
            if magic != b"GGUF" or version not in (2, 3) or count > 10_000:
                raise Broken(f"{path.name} is no GGUF file")
            values: dict[str, Any] = {}
            for _ in range(count):
                name = _text(file)
                (kind,) = struct.unpack("<I", file.read(4))
                values[name] = _value(file, kind)
                if file.tell() > MOST_GGUF:
                    raise Broken(f"{path.name} has too much metadata")
    except (OSError, ValueError, struct.error, KeyError, OverflowError) as error:
        raise Broken(f"{path.name} has broken metadata: {type(error).__name__}") from error
    return values


def _text(file: IO[bytes]) -> str:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > 1 << 20:
        raise ValueError("text")
    return file.read(length).decode(errors="replace")


def _value(file: IO[bytes], kind: int) -> Any:
    if kind == TEXT:
        return _text(file)
    if kind != ARRAY:
        data = file.read(SIZES[kind])
        return struct.unpack(NUMBERS[kind], data)[0] if kind in NUMBERS else None
    inner, length = struct.unpack("<IQ", file.read(12))
    if inner == TEXT:
        for _ in range(length):
            _text(file)
            if file.tell() > MOST_GGUF:
                raise ValueError("array")
    elif length * SIZES[inner] > MOST_GGUF:
        raise ValueError("array")
    else:
        file.seek(length * SIZES[inner], 1)
    return None


def whole(value: Any, most: int = LARGEST) -> int:
    """A number that can be true; 0 for everything else."""
    return value if type(value) is int and 0 < value <= most else 0


def plain(value: Any) -> str:
    """A short word that may be shown."""
    return value[:80] if isinstance(value, str) and re.fullmatch(r"[\w .:/+\-]+", value[:80]) else ""
