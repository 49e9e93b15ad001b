"""Small pictures and videos as models make them, and artifacts of them in a store."""

import colorsys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
from PIL import Image, ImageDraw

from core.media.artifacts import artifact_values, key_base, store_file
from core.media.store import Store
from db.artifacts import add_artifact
from db.base import new_id, now
from db.database import Database

CODECS = {".mp4": "libx264", ".webm": "libvpx-vp9"}


def drawing(hue: float = 0.6, size: tuple[int, int] = (96, 64), at: float = 0.5) -> Image.Image:
    """A sky with a sun over the sea."""
    width, height = size
    picture = Image.new("RGB", size)
    draw = ImageDraw.Draw(picture)
    for row in range(height):
        light = 0.35 + 0.6 * row / height
        colour = colorsys.hls_to_rgb(hue + 0.12 * row / height, light, 0.55)
        draw.line([(0, row), (width, row)], fill=tuple(int(255 * part) for part in colour))
    x, y, radius = width * at, height * 0.45, height * 0.14
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=(255, 236, 190))
    sea = tuple(int(255 * part) for part in colorsys.hls_to_rgb(hue, 0.25, 0.5))
    draw.rectangle([0, height * 0.68, width, height], fill=sea)
    return picture


def picture(path: Path, hue: float = 0.6, size: tuple[int, int] = (96, 64)) -> Path:
    """A picture's file; its type by its ending."""
    drawing(hue, size).save(path)
    return path


def video(path: Path, seconds: int = 1, size: tuple[int, int] = (96, 64), hue: float = 0.6) -> Path:
    """A video's file: the sun moves."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(CODECS[path.suffix], rate=8)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"  # type: ignore[attr-defined]
        for number in range(8 * seconds):
            frame = av.VideoFrame.from_image(drawing(hue, size, 0.1 + 0.1 * (number % 8)))  # type: ignore[no-untyped-call]
            container.mux(stream.encode(frame))  # type: ignore[attr-defined]
        container.mux(stream.encode())  # type: ignore[attr-defined]
    return path


def job(**values: Any) -> SimpleNamespace:
    """What a job's row says of itself."""
    usual_request = {"task": "text_to_image", "prompt": "A harbour at dawn", "negative": "", "inputs": [],
                     "count": 1, "seed": 7, "width": None, "params": {"steps": 9}}  # fmt: skip
    request = {**usual_request, **values.pop("request", {})}
    usual = {"id": new_id(), "attempt": 1, "channel_id": None, "chat_key": "", "source": "panel",
             "provider_id": "engine", "model": "Tongyi-MAI/Z-Image-Turbo", "task": request["task"],
             "rating": "general", "created_at": now()}  # fmt: skip
    return SimpleNamespace(**{**usual, **values}, request=request)


async def kept(database: Database, store: Store, path: Path, row: Any = None, **values: Any) -> str:
    """Store a file and its row as the runner does; returns the artifact's id."""
    row = row or job()
    stored = await store_file(store, path, key_base(row, 0), None)
    async with database.transaction() as conn:
        known = {**artifact_values(stored, row, 0, {"seed": 7}, 0), **values}
        return await add_artifact(conn, **known)
