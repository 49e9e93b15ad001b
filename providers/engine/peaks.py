"""How much memory a job takes: as measured before, or estimated until then.

Measured peaks are kept in a file beside the host, per model, profile, precision, shape and version of its
files; the highest one is what room is asked for.
"""

import json
import logging
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from providers.engine.models import DIFFUSERS, PROFILES, Model
from providers.engine.weights import weights_of

CPU = "cpu"
NUMBER = {"": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.6}  # bytes a number takes on a GPU, by its precision
PIXEL = 2000  # bytes that each pixel of a picture takes while it is made: estimated, see docs/engines.md
FRAME_PIXEL = 150  # the same of a clip, whose frames are worked on some at a time
LAYER = 0.08  # share of the largest part that lies on the GPU when it comes layer by layer
WEIGHT = 0.3  # of the newest measurement in the moving average
SIDE, FRAMES, RATE = 1024, 81, 16
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes on the device and in the host's RAM. `measured` tells it from an estimate, of which `least` is
    sure."""

    device: int
    host: int = 0
    measured: bool = False
    least: int = 0


@dataclass(frozen=True, slots=True)
class Peak:
    """What runs of one shape took: the most, a moving average, and how many there were."""

    most: int
    mean: float
    runs: int = 1

    def with_another(self, size: int) -> "Peak":
        """The same with one run more."""
        mean = self.mean + WEIGHT * (size - self.mean)
        return Peak(max(self.most, size), mean, self.runs + 1)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a model is loaded: its profile (a place in PROFILES), and its precision."""

    profile: int = 0
    quantise: str = ""

    def __str__(self) -> str:
        return f"{PROFILES[self.profile]}{'+' * bool(self.quantise)}{self.quantise}"


@dataclass(frozen=True, slots=True)
class Shape:
    """How much is made at once."""

    pixels: int
    frames: int = 1
    count: int = 1

    @property
    def bucket(self) -> str:
        """Shapes of about the same size; each is half as large again as the one before."""
        return f"{math.ceil(math.log(max(self.pixels * self.frames * self.count, 1), 1.5))}"

    @property
    def activation(self) -> int:
        """Bytes beside the weights, in half precision; an estimate."""
        if self.frames > 1:
            return self.pixels * max(PIXEL, self.frames * FRAME_PIXEL)
        return self.pixels * self.count * PIXEL


def shape_of(model: Model, request: Mapping[str, Any] | None) -> Shape:
    """What a request makes; without one nothing yet: the model is only loaded."""
    if request is None:
        return Shape(1)
    asked, usual = request, model.spec.get("defaults", {})
    width, height = (int(asked.get(one) or usual.get(one) or SIDE) for one in ("width", "height"))
    if not any(str(task).endswith("video") for task in model.card.tasks):
        return Shape(width * height, 1, int(asked.get("count") or 1))
    rate = int((asked.get("params") or {}).get("fps") or usual.get("fps") or RATE)
    frames = int(asked["seconds"] * rate) if asked.get("seconds") else int(usual.get("frames") or FRAMES)
    return Shape(width * height, max(frames, 2))


def estimate(model: Model, manner: Manner, shape: Shape, device: str) -> Need:
    """What it should take, from the headers of its files. Without files, or for what is no model, as told."""
    weights = weights_of(model.folder) if model.kind == DIFFUSERS and model.folder else None
    if weights is None or not weights.whole:
        return Need(model.bytes, least=model.bytes)
    if device == CPU:
        return Need(weights.whole * 4 + shape.activation * 2, least=weights.whole * 4)
    number = NUMBER[manner.quantise]
    whole, largest = int(weights.whole * 2 - weights.largest * (2 - number)), int(weights.largest * number)
    profile = PROFILES[manner.profile]
    host = 0 if profile == "fast" else whole
    least = {"fast": whole, "offload": largest}.get(profile, int(largest * LAYER))
    return Need(least + shape.activation, host, least=least)


class Peaks:
    """The file of measured peaks; without a path, kept in memory only."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[str, Peak] = _read(path) if path else {}

    def need(self, model: Model, manner: Manner, shape: Shape, device: str) -> Need:
        """Room to ask for."""
        guess = estimate(model, manner, shape, device)
        known = self._known.get(_key(model, manner, shape))
        return Need(known.most, guess.host, True) if known else guess

    def find(self, model: Model, manner: Manner, shape: Shape) -> Peak | None:
        """What was measured, if anything was."""
        return self._known.get(_key(model, manner, shape))

    def learn(self, model: Model, manner: Manner, shape: Shape, size: int) -> int:
        """A run took this much; the most that one took."""
        key = _key(model, manner, shape)
        before = self._known.get(key)
        self._known[key] = before.with_another(size) if before else Peak(size, float(size))
        self._write()
        return self._known[key].most

    def _write(self) -> None:
        if self._path is None:
            return
        part = self._path.with_suffix(".part")
        told = {key: asdict(peak) for key, peak in self._known.items()}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(told, indent=1), encoding="utf-8")
            os.replace(part, self._path)
        except OSError as error:
            logger.warning("peaks are not kept: %s", error)


def _key(model: Model, manner: Manner, shape: Shape) -> str:
    return f"{model.name} {manner} {shape.bucket} {_version(model)}"


def _version(model: Model) -> str:
    """Which files these are: the commit in the hub's cache, else when they were put there."""
    if model.folder is None:
        return "-"
    if model.folder.parent.name == "snapshots":
        return model.folder.name[:12]
    try:
        return str(int((model.folder / "model_index.json").stat().st_mtime))
    except OSError:
        return "-"


def _read(path: Path) -> dict[str, Peak]:
    if not path.exists():
        return {}
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(key): Peak(int(one["most"]), float(one["mean"]), int(one["runs"]))
            for key, one in told.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logger.warning("%s cannot be read (%s): peaks are measured anew", path, error)
        return {}
