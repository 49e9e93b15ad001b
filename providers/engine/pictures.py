"""Pictures that come in and clips that go out of a worker."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from providers.engine.worker import BadJob

MOST_PIXELS = 50_000_000


def opened(path: str) -> Image.Image:
    """A picture as RGB. Raises BadJob for what is none, or would unfold to too much: its header is read
    before its pixels."""
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise BadJob(f"the picture has {picture.width} x {picture.height} pixels")
            return picture.convert("RGB")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadJob(f"the picture cannot be read: {type(error).__name__}") from error


def by_role(request: dict[str, Any], role: str) -> list[Image.Image]:
    """The inputs of one role, in their order."""
    return [opened(one["path"]) for one in request.get("inputs", ()) if one.get("role", "image") == role]


def save_clip(frames: Sequence[Any], path: Path, rate: int) -> None:
    """Frames (pictures) as an MP4 that every browser plays."""
    av = importlib.import_module("av")  # large, and only clips need it
    first = frames[0]
    width, height = first.width // 2 * 2, first.height // 2 * 2
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames:
            even = frame if frame.size == (width, height) else frame.crop((0, 0, width, height))
            for packet in stream.encode(av.VideoFrame.from_image(even)):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
