"""Pipelines of unusual kinds, run in the diffusers environment for test_catalog_runs.py:

.venv-diffusers/bin/python -m tests.engine.catalog_runs FOLDER-OF-TINY-MODELS WORK-FOLDER
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
from PIL import Image

from providers.engine.diffusion import load
from providers.engine.worker import Stop


def job(out: Path, **request: Any) -> dict[str, Any]:
    out.mkdir(parents=True)
    whole = {"prompt": "a red cat", "seed": 1, "params": {"steps": 3}, **request}
    return {"request": whole, "out": str(out)}


def without_callback(work: Path) -> dict[str, Any]:
    """A real pipeline that has a progress bar and no callback: told, cancelled, and usable after that."""
    unet = diffusers.UNet2DModel(
        sample_size=16, block_out_channels=(32, 32), layers_per_block=1, norm_num_groups=8,
        down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    diffusers.DDPMPipeline(unet, diffusers.DDPMScheduler()).save_pretrained(work / "ddpm")
    pipeline = load({"name": "ddpm", "class": "DDPMPipeline", "folder": str(work / "ddpm")})
    told: list[tuple[int, int]] = []
    pipeline.run(job(work / "a", task="text_to_image"), lambda at, of, _: told.append((at, of)))

    def stop(at: int, _of: int, _preview: Callable[[], bytes] | None) -> None:
        if at == 2:
            raise Stop

    try:
        pipeline.run(job(work / "b", task="text_to_image"), stop)
        stopped = False
    except Stop:
        stopped = True
    again = pipeline.run(job(work / "c", task="text_to_image"), lambda *_: None)
    return {"told": told, "stopped": stopped, "files": len(again["files"])}


def two_tasks(tiny: Path, work: Path) -> dict[str, Any]:
    """A Wan 2.2 that makes clips from words and, by another class, from a picture."""
    pipe = diffusers.WanPipeline.from_pretrained(tiny / "tiny-wan", dtype=torch.float32)
    pipe.register_to_config(expand_timesteps=True)
    pipe.save_pretrained(work / "ti2v")
    picture = work / "given.png"
    Image.new("RGB", (100, 70), (200, 40, 30)).save(picture)
    spec = {
        "name": "ti2v", "class": "WanPipeline", "classes": {"image_to_video": "WanImageToVideoPipeline"},
        "folder": str(work / "ti2v"), "float32": ["vae"], "frames_every": 4, "multiple": 16,
        "defaults": {"steps": 3, "fps": 8, "frames": 9, "width": 64, "height": 64},
    }  # fmt: skip
    pipeline = load(spec)
    steps: list[int] = []
    words = pipeline.run(job(work / "d", task="text_to_video"), lambda at, *_: steps.append(at))
    inputs = [{"path": str(picture), "role": "image"}]
    shown = pipeline.run(job(work / "e", task="image_to_video", inputs=inputs), lambda *_: None)
    sized = pipeline.run(
        job(work / "f", task="image_to_video", inputs=inputs, width=32, height=48, seconds=0.5),
        lambda *_: None,
    )
    kept = ("class", "width", "height", "num_frames")
    return {
        "steps": steps,
        "settings": [{name: one["settings"].get(name) for name in kept} for one in (words, shown, sized)],
        "mimes": [one["files"][0]["mime"] for one in (words, shown, sized)],
    }


if __name__ == "__main__":
    torch.manual_seed(0)
    tiny, work = Path(sys.argv[1]), Path(sys.argv[2])
    print("\n" + json.dumps({"bar": without_callback(work), "wan": two_tasks(tiny, work)}))
