"""A real step of a model that was loaded by a person's wish, before it counts as ready."""

import asyncio
import base64
import logging
import tempfile
from pathlib import Path
from typing import Any

from providers.engine.child import Child, RunFailed
from providers.engine.models import Model
from providers.media.types import Task

PROVED_BY = (
    Task.TEXT_TO_IMAGE,
    Task.IMAGE_TO_IMAGE,
    Task.TEXT_TO_VIDEO,
    Task.IMAGE_TO_VIDEO,
)  # cheapest first
GREY = base64.b64decode(  # a picture of one pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGOor68HAAL+AX66JXAlAAAAAElFTkSuQmCC"
)
RATE, GROUP = 16, 4  # frames a second, and those that a clip has a multiple of, where the model says no other
logger = logging.getLogger(__name__)


def smallest(model: Model, picture: Path) -> dict[str, Any] | None:
    """The request for the smallest thing that a model makes, in one step; None where nothing is known that
    would be small."""
    task = next((one for one in PROVED_BY if one in model.card.tasks), None)
    if task is None:
        return None
    usual = model.spec.get("defaults", {})
    step = max(model.card.multiple, int(model.spec.get("multiple", 8)))
    side = -(-model.card.low_side // step) * step
    width, height = (usual.get("width"), usual.get("height")) if model.spec.get("fixed") else (side, side)
    request: dict[str, Any] = {
        "task": str(task), "prompt": "a", "negative": "", "width": width, "height": height, "count": 1,
        "seed": 0, "params": {"steps": 1}, "inputs": [],
    }  # fmt: skip
    if task.makes == "video":
        group = int(model.spec.get("frames_every", GROUP))
        request |= {"seconds": (group + 0.5) / RATE, "params": {"steps": 1, "fps": RATE}}
    if task in (Task.IMAGE_TO_IMAGE, Task.IMAGE_TO_VIDEO):
        request["inputs"] = [{"path": str(picture), "mime": "image/png", "role": "image"}]
    if task == Task.IMAGE_TO_IMAGE and model.card.strength:
        request["strength"] = 1.0  # less of one step is none
    return request


async def prove(model: Model, child: Child, profile: int) -> bool:
    """Have a loaded model make the smallest thing; whether it did. A model that takes no such request says
    nothing about itself: False. Raises RunFailed or ChildDied."""
    with tempfile.TemporaryDirectory(prefix="botyard-proof-") as folder:
        picture = Path(folder, "grey.png")
        await asyncio.to_thread(picture.write_bytes, GREY)
        request = smallest(model, picture)
        if request is None:
            return False
        order = {"id": "proof", "request": request, "out": folder, "previews": False, "profile": profile}
        try:
            await child.run(order, lambda _: None)
        except RunFailed as error:
            if error.kind != "caller":
                raise
            logger.info("%s is loaded and not proved: %s", model.name, error)
            return False
        return True
