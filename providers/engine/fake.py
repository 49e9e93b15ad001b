"""The fake family: draws a picture, or a short clip, from the words and the seed alone, without any model.

It is for trying Botyard on a machine without a GPU, and for tests: it takes memory that does not exist, as
many steps and seconds as it is told, and fails in every way that a real engine does ("!crash", "!hang",
"!memory", "!moderate", "!error" in the prompt).
"""

import hashlib
import io
import math
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFilter

from providers.engine.pictures import by_role, save_clip
from providers.engine.worker import Moderated, OutOfMemory

STEPS = 8
FRAMES_A_SECOND = 8
DEFAULT = 512


def warm() -> None:
    """Nothing more to import."""
    Image.init()


def load(model: dict[str, Any]) -> "Pipeline":
    """A pipeline that pretends to take its time."""
    time.sleep(float(model.get("load_seconds", 0)))
    return Pipeline(model)


class Pipeline:
    """Draws."""

    def __init__(self, model: dict[str, Any]) -> None:
        self._model = model

    def facts(self) -> dict[str, Any]:
        """What it would hold."""
        return {
            "bytes": int(self._model.get("bytes", 0)),
            "options": {"visible": os.environ.get("CUDA_VISIBLE_DEVICES", "")},
        }

    def run(self, job: dict[str, Any], step: Any) -> dict[str, Any]:
        """Draw in as many steps as are asked for."""
        request = job["request"]
        params = request.get("params") or {}
        steps = int(params.get("steps", STEPS))
        pause = float(params.get("step_seconds", self._model.get("step_seconds", 0.0)))
        seed = request.get("seed")
        seed = random.randrange(2**31) if seed is None else int(seed)
        size = (request.get("width") or DEFAULT, request.get("height") or DEFAULT)
        source = _source(request)
        for number in range(1, steps + 1):
            time.sleep(pause)
            if number == min(2, steps):
                _mischief(f"{request['prompt']} {self._model.get('mischief', '')}", job.get("profile", 0))
            step(number, steps, lambda done=number / steps: _blurred(request["prompt"], seed, source, done))
        made = self._make(request, size, seed, source, Path(job["out"]))
        settings = {"seed": seed, "steps": steps, "width": size[0], "height": size[1]}
        return {"files": made, "settings": settings}

    def _make(
        self, request: dict[str, Any], size: tuple[int, int], seed: int, source: Image.Image | None, out: Path
    ) -> list[dict[str, str]]:
        if request["task"].endswith("video"):
            path = out / "0.mp4"
            _clip(request, size, seed, source, path)
            return [{"path": str(path), "mime": "video/mp4"}]
        files = []
        for number in range(int(request.get("count") or 1)):
            path = out / f"{number}.png"
            factor = 2 if request["task"] == "upscale" and source else 1
            shape = (source.width * factor, source.height * factor) if factor == 2 and source else size
            draw(request["prompt"], seed + number, shape, source).save(path)
            files.append({"path": str(path), "mime": "image/png"})
        return files


def draw(
    prompt: str, seed: int, size: tuple[int, int], source: Image.Image | None = None, phase: float = 0.0
) -> Image.Image:
    """A landscape of hills under a sky, in colours that the words choose; or a picture in those colours."""
    digest = hashlib.sha256(f"{prompt}\0{seed}".encode()).digest()
    dice = random.Random(digest)
    sky, ground = _colour(digest, 0), _colour(digest, 3)
    if source is not None:
        tint = Image.new("RGB", source.size, sky)
        return Image.blend(source.convert("RGB"), tint, 0.35).resize(size)
    picture = Image.new("RGB", size)
    brush = ImageDraw.Draw(picture)
    width, height = size
    for row in range(height):
        share = row / height
        brush.line(
            [(0, row), (width, row)],
            tuple(int(a * (1 - share) + 255 * share * 0.9) for a in sky),
        )
    x, y, r = dice.random() * width, height * (0.15 + 0.2 * dice.random()), min(size) * 0.09
    x = (x + phase * width * 0.4) % width
    brush.ellipse([x - r, y - r, x + r, y + r], (255, 244, 214))
    for layer in range(4):
        shade = tuple(int(c * (1 - 0.18 * layer)) for c in ground)
        top, wave = height * (0.5 + 0.12 * layer), height * 0.07
        a, b = dice.uniform(1, 3), dice.uniform(0, 6)
        points = [
            (px, top + wave * math.sin(a * px / width * math.tau + b + phase * math.tau * (layer + 1) / 4))
            for px in range(0, width + 8, 8)
        ]
        brush.polygon([*points, (width, height), (0, height)], shade)
    return picture


def _clip(
    request: dict[str, Any], size: tuple[int, int], seed: int, source: Image.Image | None, path: Path
) -> None:
    """A clip in which the sun wanders and the hills roll."""
    count = max(2, int((request.get("seconds") or 2.0) * FRAMES_A_SECOND))
    frames = [draw(request["prompt"], seed, size, source, number / count) for number in range(count)]
    save_clip(frames, path, FRAMES_A_SECOND)


def _blurred(prompt: str, seed: int, source: Image.Image | None, done: float) -> bytes:
    """The picture as it looks on its way."""
    small = draw(prompt, seed, (160, 160), source)
    file = io.BytesIO()
    small.filter(ImageFilter.GaussianBlur(12 * (1 - done))).save(file, "JPEG", quality=60)
    return file.getvalue()


def _colour(digest: bytes, at: int) -> tuple[int, int, int]:
    red, green, blue = (60 + digest[at + n] * 150 // 255 for n in range(3))
    return red, green, blue


def _source(request: dict[str, Any]) -> Image.Image | None:
    return next(iter([*by_role(request, "image"), *by_role(request, "person")]), None)


def _mischief(prompt: str, profile: int) -> None:
    """Fail as the words say, in the middle of the work."""
    if "!crash" in prompt:
        os.kill(os.getpid(), signal.SIGKILL)
    if "!hang" in prompt:
        time.sleep(3600)
    if "!memory" in prompt and (profile == 0 or "!memory!" in prompt):
        raise OutOfMemory("the fake device is full")
    if "!moderate" in prompt:
        raise Moderated("the fake engine was told to refuse")
    if "!error" in prompt:
        raise RuntimeError("the fake engine was told to fail")
