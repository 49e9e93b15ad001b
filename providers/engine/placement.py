"""How a pipeline lies in memory: whole on the GPU, in parts, or layer by layer; and in which precision.

Runs in a worker of the diffusers family. The choices are probed: what this machine lacks is refused by name.
"""

import importlib.util
import logging
import os
from pathlib import Path
from typing import Any

import diffusers
import torch

from providers.engine.models import BACKENDS, PROFILES
from providers.engine.weights import variant_of
from providers.engine.worker import BadJob

CUDA = "cuda"
MAIN = ("transformer", "transformer_2", "unet")  # the parts that are worth quantising
logger = logging.getLogger(__name__)


def quantisations(device: str) -> list[str]:
    """The precisions that this machine can do."""
    found = ["fp8"]
    if device == CUDA and importlib.util.find_spec("bitsandbytes"):
        found += ["int8", "int4"]
    return found


def loaded(model: dict[str, Any], device: str) -> Any:
    """A model's pipeline from its folder, in its precision, not yet placed."""
    kind = getattr(diffusers, str(model.get("class") or ""), None) or diffusers.DiffusionPipeline
    dtype = torch.bfloat16 if device == CUDA else torch.float32
    full = {name: torch.float32 for name in model.get("float32", ())}
    wanted = str(model.get("quantise") or "")
    if wanted and wanted not in quantisations(device):
        raise BadJob(
            f"quantise {wanted}: this machine can do {', '.join(quantisations(device))}; int8 and int4 need "
            "an NVIDIA GPU and bitsandbytes: python orchestrator.py engines install diffusers"
        )
    further: dict[str, Any] = {}
    if wanted in ("int8", "int4"):
        bits = {"load_in_8bit": True} if wanted == "int8" else {"load_in_4bit": True}
        further["quantization_config"] = diffusers.PipelineQuantizationConfig(
            quant_backend=f"bitsandbytes_{wanted[3:]}bit",
            quant_kwargs=bits,
            components_to_quantize=list(MAIN),
        )
    if variant := variant_of(Path(model["folder"])):
        further["variant"] = variant
    logger.info("loading %s as %s", model["name"], kind.__name__)
    pipe = kind.from_pretrained(
        model["folder"], dtype={"default": dtype, **full} if full else dtype, use_safetensors=True,
        local_files_only=True, **further,
    )  # fmt: skip
    if wanted == "fp8":
        for part in _main_parts(pipe):
            part.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=dtype)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def place(pipe: Any, device: str, profile: int) -> str:
    """Put a pipeline where its profile says; the profile's name. Without a GPU there is nowhere to go: then
    sparing means to decode in pieces."""
    name = PROFILES[min(profile, len(PROFILES) - 1)]
    if name != PROFILES[0]:
        _decode_in_pieces(pipe)
    if device != CUDA:
        pipe.to("cpu")
        return name
    match name:
        case "fast":
            pipe.to(CUDA)
        case "offload":
            pipe.enable_model_cpu_offload()
        case "group":
            pipe.enable_group_offload(
                onload_device=torch.device(CUDA), offload_device=torch.device("cpu"),
                offload_type="leaf_level", use_stream=True,
            )  # fmt: skip
        case _:
            pipe.enable_sequential_cpu_offload()
    return name


def backends(pipe: Any, device: str) -> list[str]:
    """The ways to compute attention that this machine has; the first one is set."""
    transformer = getattr(pipe, "transformer", None)
    if transformer is None or not hasattr(transformer, "set_attention_backend"):
        return []
    found = []
    for name in BACKENDS if device == CUDA else BACKENDS[:1]:
        try:
            transformer.set_attention_backend(name)
        except (RuntimeError, ValueError, ImportError) as error:
            logger.debug("attention %s: %s", name, error)
        else:
            found.append(name)
    if found:
        transformer.set_attention_backend(found[0])
    return found


def attend(pipe: Any, wanted: str, known: list[str]) -> None:
    """Compute attention in one of the known ways; the first one where none is asked for."""
    if wanted and wanted not in known:
        raise BadJob(f"attention {wanted}: this machine has {', '.join(known) or 'no choice for this model'}")
    if known:
        for part in _main_parts(pipe):
            part.set_attention_backend(wanted or known[0])


def reset_peak(device: str) -> None:
    """Begin to look for the highest use of memory."""
    if device == CUDA:
        torch.cuda.reset_peak_memory_stats()
        return
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError as error:
        logger.debug("the peak of RAM is that since the start: %s", error)


def peak(device: str) -> int:
    """Bytes held at the highest since then: of the GPU, or of RAM."""
    if device == CUDA:
        return int(torch.cuda.max_memory_reserved())
    for line in Path(f"/proc/{os.getpid()}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _main_parts(pipe: Any) -> list[Any]:
    return [part for name in MAIN if (part := getattr(pipe, name, None)) is not None]


def _decode_in_pieces(pipe: Any) -> None:
    vae = getattr(pipe, "vae", None)
    for name in ("enable_tiling", "enable_slicing"):
        if hasattr(vae, name):
            getattr(vae, name)()
