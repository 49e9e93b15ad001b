"""The diffusers family: pictures and videos by any pipeline of diffusers, in an environment of its own.

Facts and traps: docs/engines.md. A cancel is an exception in the step callback: the pipeline stays usable.
"""

import inspect
import os
import random
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting
from PIL import Image

from providers.engine.latents import preview_of
from providers.engine.pictures import by_role, save_clip
from providers.engine.placement import attend, backends, loaded, peak, place, quantisations, reset_peak
from providers.engine.worker import BadJob, OutOfMemory

CUDA = "cuda"
NAMES = {  # what a request calls it, and what pipelines do
    "steps": "num_inference_steps", "guidance": "guidance_scale", "frames": "num_frames",
    "count": "num_images_per_prompt", "negative": "negative_prompt",
}  # fmt: skip
FRAMES_A_SECOND = 16
LORA = re.compile(r"([\w .-]{1,80}?)(?::(-?\d+(?:\.\d+)?))?\Z")
SAID = ("width", "height", "strength", "count", "negative")
MOST_OWN_PIXELS = 1_600_000  # of a picture that is changed in its own size


def warm() -> None:
    """The imports above are what takes long; the commonest pipelines load lazily."""
    for name in ("AutoPipelineForText2Image", "StableDiffusionXLPipeline", "WanPipeline", "FluxPipeline"):
        getattr(diffusers, name)


def load(model: dict[str, Any]) -> "Pipeline":
    """Load a model from its folder, onto the GPU where there is one."""
    device = os.environ.get("BOTYARD_ENGINE_DEVICE", "cpu")
    if device == CUDA and not torch.cuda.is_available():
        raise BadJob("there is no GPU here that torch can use")
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
    try:
        return Pipeline(model, loaded(model, device), device)
    except torch.cuda.OutOfMemoryError as error:
        raise OutOfMemory(str(error)) from error


class Pipeline:
    """One loaded model; its profile says how it lies in memory (providers/engine/placement.py)."""

    def __init__(self, model: dict[str, Any], pipe: Any, device: str) -> None:
        self._model = model
        self._pipe = pipe
        self._device = device
        self._names = {**NAMES, **model.get("names", {})}
        self._others: dict[str, Any] = {}
        self._loras: set[str] = set()
        self._backends = backends(pipe, device)
        self._profile = place(pipe, device, int(model.get("profile", 0)))

    def facts(self) -> dict[str, Any]:
        """What it holds, and what could be chosen."""
        options = {
            "attention": self._backends, "device": self._device, "profile": self._profile,
            "quantise": quantisations(self._device), "class": type(self._pipe).__name__,
        }  # fmt: skip
        return {"bytes": peak(self._device), "options": options}

    def run(self, job: dict[str, Any], step: Callable[..., None]) -> dict[str, Any]:
        """Make one thing."""
        request, out = job["request"], Path(job["out"])
        params = {**self._model.get("defaults", {}), **(request.get("params") or {})}
        seed = random.randrange(2**31) if request.get("seed") is None else int(request["seed"])
        pipe = self._pipe_for(request["task"])
        self._adapt(str(params.pop("lora", "") or ""))
        attend(self._pipe, str(params.pop("attention", "") or ""), self._backends)
        rate = int(params.pop("fps", FRAMES_A_SECOND))
        asked = self._arguments(request, params, rate)
        asked["generator"] = torch.Generator("cpu").manual_seed(seed)
        accepted = inspect.signature(pipe.__call__).parameters
        _listen(pipe, "callback_on_step_end" in accepted, asked, step)
        reset_peak(self._device)
        try:
            with torch.inference_mode():
                made = pipe(**{name: value for name, value in asked.items() if name in accepted})
        except torch.cuda.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise OutOfMemory(str(error)) from error
        files = _saved(made, out, rate)
        told: dict[str, Any] = {
            name: value for name, value in asked.items() if isinstance(value, int | float)
        }
        told |= {"seed": seed, "class": type(pipe).__name__, "profile": self._profile}
        return {"files": files, "settings": told, "peak": peak(self._device)}

    def _pipe_for(self, task: str) -> Any:
        """The pipeline of a task, over the same weights."""
        own = inspect.signature(self._pipe.__call__).parameters
        named = self._model.get("classes", {}).get(task)
        match task:
            case _ if named:
                return self._other(task, getattr(diffusers, named))
            case "image_to_image" if "image" not in own:
                return self._other(task, AutoPipelineForImage2Image)
            case "inpaint" if "mask_image" not in own:
                return self._other(task, AutoPipelineForInpainting)
            case "image_to_video" if "image" not in own:
                raise BadJob(f"{type(self._pipe).__name__} takes no picture")
        return self._pipe

    def _other(self, task: str, kind: Any) -> Any:
        if task not in self._others:
            try:
                self._others[task] = kind.from_pipe(self._pipe)
            except (ValueError, AttributeError) as error:
                raise BadJob(f"{type(self._pipe).__name__} does not do {task}") from error
            self._others[task].set_progress_bar_config(disable=True)
        return self._others[task]

    def _arguments(self, request: dict[str, Any], params: dict[str, Any], rate: int) -> dict[str, Any]:
        """A request as the pipeline's call takes it; what it does not say is the model's default."""
        pictures, masks = by_role(request, "image"), by_role(request, "mask")
        area = 0  # of a clip, which takes the picture's shape and the model's usual size
        if pictures and not request.get("width") and not self._model.get("fixed"):
            if request["task"].endswith("video"):
                area = int(params.get("width") or 0) * int(params.get("height") or 0)
            params = {name: value for name, value in params.items() if name not in ("width", "height")}
        said = {name: request[name] for name in SAID if request.get(name)}
        asked: dict[str, Any] = {"prompt": request["prompt"]}
        asked |= {self._names.get(name, name): value for name, value in {**params, **said}.items()}
        if request["task"].endswith("video"):
            asked.pop("num_images_per_prompt", None)
            if request.get("seconds"):
                every = int(self._model.get("frames_every", 4))
                asked["num_frames"] = int(request["seconds"] * rate) // every * every + 1
        if pictures:
            size = (asked.get("width"), asked.get("height"))
            multiple = int(self._model.get("multiple", 8))
            fitted = [_fitted(one, size, multiple, area) for one in pictures]
            asked["image"] = fitted[0] if len(fitted) == 1 else fitted
            asked["width"], asked["height"] = fitted[0].size
            if masks:
                asked["mask_image"] = masks[0].convert("L").resize(fitted[0].size)
        return asked

    def _adapt(self, wanted: str) -> None:
        """Put LoRAs on by name and strength ("style:0.8, face"), and others off."""
        chosen = [_lora(part) for part in wanted.split(",") if part.strip()]
        if not chosen and not self._loras:
            return
        if not hasattr(self._pipe, "load_lora_weights"):
            raise BadJob("this model takes no LoRA")
        for name, _ in chosen:
            if name not in self._loras:
                folder = Path(os.environ.get("BOTYARD_ENGINE_LORAS", "loras"))
                if not (folder / f"{name}.safetensors").is_file():
                    raise BadJob(f"there is no LoRA {name!r}")
                weights = f"{name}.safetensors"
                self._pipe.load_lora_weights(str(folder), weight_name=weights, adapter_name=_safe(name))
                self._loras.add(name)
        if chosen:
            self._pipe.enable_lora()
            self._pipe.set_adapters([_safe(name) for name, _ in chosen], [weight for _, weight in chosen])
        else:
            self._pipe.disable_lora()


def _listen(pipe: Any, calls_back: bool, asked: dict[str, Any], step: Callable[..., None]) -> None:
    """Have every step told: by the pipeline's callback, or by its progress bar where it has none."""
    steps = int(asked.get("num_inference_steps") or 50)
    if calls_back:
        asked["callback_on_step_end"] = _callback(step, steps)
    else:
        pipe.progress_bar = partial(Bar, step, steps)


class Bar:
    """Stands where a pipeline's progress bar is."""

    def __init__(
        self, step: Callable[..., None], steps: int, iterable: Any = None, total: Any = None
    ) -> None:
        self._step = step
        self._steps = int(total or steps)
        self._iterable = iterable
        self._done = 0

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *_: object) -> None:
        self._iterable = None

    def __iter__(self) -> Any:
        for one in self._iterable:
            yield one
            self.update()

    def update(self, number: int = 1) -> None:
        """So many steps more are done."""
        self._done += number
        self._step(self._done, max(self._steps, self._done), None)


def _callback(step: Callable[..., None], steps: int) -> Callable[..., dict[str, Any]]:
    def after(pipe: Any, number: int, _time: Any, kept: dict[str, Any]) -> dict[str, Any]:
        latents = kept.get("latents")
        total = int(getattr(pipe, "num_timesteps", 0) or steps)
        preview = (lambda: preview_of(latents)) if latents is not None else None
        step(number + 1, max(total, number + 1), preview)
        return kept

    return after


def _saved(made: Any, out: Path, rate: int) -> list[dict[str, str]]:
    frames = getattr(made, "frames", None)
    if frames is not None:
        clip = [_picture(one) for one in frames[0]]
        path = out / "0.mp4"
        save_clip(clip, path, rate)
        return [{"path": str(path), "mime": "video/mp4"}]
    files = []
    for number, one in enumerate(made.images):
        path = out / f"{number}.png"
        _picture(one).save(path)
        files.append({"path": str(path), "mime": "image/png"})
    return files


def _picture(one: Any) -> Image.Image:
    """A frame as a picture: pipelines give pictures, or arrays of 0 to 1."""
    if isinstance(one, Image.Image):
        return one
    return Image.fromarray((one * 255).round().clip(0, 255).astype("uint8"))


def _fitted(
    picture: Image.Image, size: tuple[int | None, int | None], multiple: int, area: int
) -> Image.Image:
    """A picture in the size that was asked for; else of that area; else in its own, large ones made smaller.
    Always in the model's steps."""
    width, height = size[0] or picture.width, size[1] or picture.height
    own = width * height
    scale = 1.0 if size[0] else ((area or min(own, MOST_OWN_PIXELS)) / own) ** 0.5
    wanted = tuple(max(multiple, int(side * scale) // multiple * multiple) for side in (width, height))
    return picture if picture.size == wanted else picture.resize((wanted[0], wanted[1]))


def _lora(part: str) -> tuple[str, float]:
    found = LORA.match(part.strip())
    if found is None or ".." in part:
        raise BadJob(f"not a LoRA: {part.strip()[:80]!r}")
    return found[1].strip(), float(found[2] or 1.0)


def _safe(name: str) -> str:
    """An adapter's name as torch takes it."""
    return re.sub(r"\W", "_", name)
