"""The diffusers family: pictures and videos by any pipeline of diffusers, in an environment of its own.

Facts and traps: docs/engines.md. A cancel is an exception in the step callback: the pipeline stays usable.
"""

import inspect
import logging
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoPipelineForImage2Image, AutoPipelineForInpainting, DiffusionPipeline
from PIL import Image

from providers.engine.latents import preview_of
from providers.engine.pictures import by_role, save_clip
from providers.engine.worker import BadJob, OutOfMemory

CUDA = "cuda"
NAMES = {  # what a request calls it, and what pipelines do
    "steps": "num_inference_steps", "guidance": "guidance_scale", "frames": "num_frames",
    "count": "num_images_per_prompt", "negative": "negative_prompt",
}  # fmt: skip
FRAMES_A_SECOND = 16
LORA = re.compile(r"([\w .-]{1,80}?)(?::(-?\d+(?:\.\d+)?))?\Z")
BACKENDS = ("native", "flash", "_flash_3", "flex", "sage", "xformers", "_native_cudnn")
logger = logging.getLogger(__name__)


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
    kind = getattr(diffusers, str(model.get("class") or ""), None) or DiffusionPipeline
    dtype = torch.bfloat16 if device == CUDA else torch.float32
    logger.info("loading %s as %s", model["name"], kind.__name__)
    pipe = kind.from_pretrained(
        model["folder"], torch_dtype=dtype, use_safetensors=True, local_files_only=True
    )
    pipe.set_progress_bar_config(disable=True)
    return Pipeline(model, pipe, device)


class Pipeline:
    """One loaded model; `profile` 0 is the fastest, 1 and 2 spare memory more and more."""

    def __init__(self, model: dict[str, Any], pipe: Any, device: str) -> None:
        self._model = model
        self._pipe = pipe
        self._device = device
        self._others: dict[str, Any] = {}
        self._loras: set[str] = set()
        self._place(int(model.get("profile", 0)))

    def facts(self) -> dict[str, Any]:
        """What it holds, and what could be chosen."""
        held = torch.cuda.max_memory_allocated() if self._device == CUDA else 0
        options = {"attention": self._backends(), "device": self._device, "profile": self._model["profile"]}
        return {"bytes": held, "options": {**options, "class": type(self._pipe).__name__}}

    def run(self, job: dict[str, Any], step: Callable[..., None]) -> dict[str, Any]:
        """Make one thing."""
        request, out = job["request"], Path(job["out"])
        params = {**self._model.get("defaults", {}), **(request.get("params") or {})}
        seed = random.randrange(2**31) if request.get("seed") is None else int(request["seed"])
        pipe = self._pipe_for(request["task"])
        self._adapt(str(params.pop("lora", "") or ""))
        rate = int(params.pop("fps", FRAMES_A_SECOND))
        asked = self._arguments(pipe, request, params, rate)
        steps = int(asked.get("num_inference_steps") or 50)
        asked["callback_on_step_end"] = _callback(step, steps)
        asked["generator"] = torch.Generator("cpu").manual_seed(seed)
        accepted = inspect.signature(pipe.__call__).parameters
        try:
            with torch.inference_mode():
                made = pipe(**{name: value for name, value in asked.items() if name in accepted})
        except torch.cuda.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise OutOfMemory(str(error)) from error
        files = _saved(made, out, rate)
        told = {name: value for name, value in asked.items() if isinstance(value, int | float)}
        return {"files": files, "settings": {**told, "seed": seed, "class": type(pipe).__name__}}

    def _place(self, profile: int) -> None:
        if self._device != CUDA:
            if profile:
                self._spare()
            self._pipe.to("cpu")
            return
        match profile:
            case 0:
                self._pipe.to(CUDA)
            case 1:
                self._spare()
                self._pipe.enable_model_cpu_offload()
            case _:
                self._spare()
                self._pipe.enable_sequential_cpu_offload()

    def _spare(self) -> None:
        """Decode in pieces."""
        vae = getattr(self._pipe, "vae", None)
        for name in ("enable_tiling", "enable_slicing"):
            if hasattr(vae, name):
                getattr(vae, name)()

    def _pipe_for(self, task: str) -> Any:
        """The pipeline of a task, over the same weights."""
        own = inspect.signature(self._pipe.__call__).parameters
        match task:
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

    def _arguments(
        self, pipe: Any, request: dict[str, Any], params: dict[str, Any], rate: int
    ) -> dict[str, Any]:
        """A request as the pipeline's call takes it."""
        asked: dict[str, Any] = {"prompt": request["prompt"]}
        for name in ("width", "height", "strength", "count", "negative"):
            if request.get(name):
                asked[NAMES.get(name, name)] = request[name]
        asked |= {NAMES.get(name, name): value for name, value in params.items()}
        if request["task"].endswith("video"):
            asked.pop("num_images_per_prompt", None)
            if request.get("seconds"):
                every = int(self._model.get("frames_every", 4))
                asked["num_frames"] = int(request["seconds"] * rate) // every * every + 1
        pictures, masks = by_role(request, "image"), by_role(request, "mask")
        if pictures:
            size = (asked.get("width"), asked.get("height"))
            fitted = [_fitted(one, size, int(self._model.get("multiple", 8))) for one in pictures]
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

    def _backends(self) -> list[str]:
        """The ways to compute attention that this machine has."""
        transformer = getattr(self._pipe, "transformer", None)
        if transformer is None or not hasattr(transformer, "set_attention_backend"):
            return []
        found = []
        for name in BACKENDS if self._device == CUDA else ("native",):
            try:
                transformer.set_attention_backend(name)
            except (RuntimeError, ValueError, ImportError) as error:
                logger.debug("attention %s: %s", name, error)
            else:
                found.append(name)
        if found:
            transformer.set_attention_backend(found[0])
        return found


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


def _fitted(picture: Image.Image, size: tuple[int | None, int | None], multiple: int) -> Image.Image:
    """A picture in the size that was asked for, or its own, in the model's steps."""
    width, height = size[0] or picture.width, size[1] or picture.height
    wanted = tuple(max(multiple, side // multiple * multiple) for side in (width, height))
    return picture if picture.size == wanted else picture.resize((wanted[0], wanted[1]))


def _lora(part: str) -> tuple[str, float]:
    found = LORA.match(part.strip())
    if found is None or ".." in part:
        raise BadJob(f"not a LoRA: {part.strip()[:80]!r}")
    return found[1].strip(), float(found[2] or 1.0)


def _safe(name: str) -> str:
    """An adapter's name as torch takes it."""
    return re.sub(r"\W", "_", name)
