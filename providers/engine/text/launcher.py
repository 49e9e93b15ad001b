"""What is to be known of a kind of text server to run it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from providers.engine.text.model import GIB, TextModel

# What a server may see of the host's environment: no tokens, no passwords.
INHERITED = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUDA_HOME",
    "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "HF_HOME", "OMP_NUM_THREADS", "TZ",
)  # fmt: skip
IMPORTED = GIB // 2  # Python, torch and the server itself, measured at 400 MiB


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes that an engine takes: on each device, and in RAM beside them."""

    device: int
    host: int


@dataclass(frozen=True, slots=True)
class Start:
    """Where and with how much an engine is to run: `share` is its part of a device's memory, 0 to 1; `key` is
    its own password."""

    port: int
    share: float
    device: str
    key: str


class Launcher(Protocol):
    """One kind of text server."""

    can_sleep: bool
    embeds: bool
    counts: bool  # offers /metrics with what is running

    def arguments(self, model: TextModel, start: Start) -> list[str]:
        """What follows the program's name."""
        ...

    def environment(self, model: TextModel, start: Start) -> dict[str, str]:
        """What it needs beside the inherited environment."""
        ...

    def need(self, model: TextModel) -> Need:
        """An estimate from the files, before anything was measured."""
        ...

    def upstream_name(self, model: TextModel, lora: str) -> str:
        """How the server calls the model, or one of its adapters."""
        ...

    def echoed_name(self, model: TextModel) -> str:
        """What its replies call the model instead; "" where they say what they were asked for."""
        ...


class VllmServe:
    """`vllm serve`."""

    can_sleep = True
    embeds = True
    counts = True

    def arguments(self, model: TextModel, start: Start) -> list[str]:
        """As of vLLM 0.32. Weights come from safetensors only, and code never from a model's folder."""
        words = [
            "serve", str(model.folder), "--served-model-name", model.name,
            "--host", "127.0.0.1", "--port", str(start.port), "--load-format", "safetensors",
            "--gpu-memory-utilization", f"{math.floor(start.share * 10_000) / 10_000:.4f}",
            "--tensor-parallel-size", str(model.tensor_parallel),
            "--max-num-seqs", str(model.most_requests),
        ]  # fmt: skip
        if model.context:
            words += ["--max-model-len", str(model.context)]
        if model.sleeps:
            words.append("--enable-sleep-mode")
        if model.loras:
            words += ["--enable-lora", "--max-loras", str(min(4, len(model.loras)))]
            words += ["--max-cpu-loras", str(len(model.loras)), "--max-lora-rank", str(model.lora_rank)]
        return words

    def environment(self, model: TextModel, start: Start) -> dict[str, str]:
        """The development endpoints are needed for sleep; they listen on loopback and are never proxied."""
        values = {"VLLM_API_KEY": start.key, "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
        if model.sleeps:
            values["VLLM_SERVER_DEV_MODE"] = "1"
        if model.loras:
            values["VLLM_ALLOW_RUNTIME_LORA_UPDATING"] = "1"
        return values

    def need(self, model: TextModel) -> Need:
        """Weights, room for four full contexts, and what activations and CUDA graphs take."""
        cache = model.cache_per_token * (model.context or 8192) * min(4, model.most_requests)
        each = (model.weights + cache) // max(1, model.tensor_parallel)
        return Need(
            device=math.ceil(each * 1.05) + 2 * GIB, host=2 * IMPORTED * max(1, model.tensor_parallel)
        )

    def upstream_name(self, model: TextModel, lora: str) -> str:
        """Served under the host's own name, so replies need no change."""
        return lora or model.name

    def echoed_name(self, model: TextModel) -> str:
        """Says what it was asked for."""
        return ""


class TransformersServe:
    """`transformers serve`, for machines without a GPU."""

    can_sleep = False
    embeds = False
    counts = False

    def arguments(self, model: TextModel, start: Start) -> list[str]:
        """As of transformers 5.23. It has no password and no tensor parallelism."""
        return [
            "serve", str(model.folder), "--host", "127.0.0.1", "--port", str(start.port),
            "--device", start.device, "--log-level", "error",
        ]  # fmt: skip

    def environment(self, model: TextModel, start: Start) -> dict[str, str]:
        """Never asks a hub."""
        return {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}

    def need(self, model: TextModel) -> Need:
        """Weights, one context for each request, and Python with torch."""
        cache = model.cache_per_token * (model.context or 4096) * min(4, model.most_requests)
        return Need(device=math.ceil(model.weights * 1.1) + cache + IMPORTED, host=0)

    def upstream_name(self, model: TextModel, lora: str) -> str:
        """It is pinned to the folder and refuses every other name."""
        return str(model.folder)

    def echoed_name(self, model: TextModel) -> str:
        """Replies name the folder and a revision."""
        return f"{model.folder}@main"


def spread(model: TextModel, heads: int, totals: Sequence[int]) -> TextModel:
    """A model over as few devices as it fits on, by their totals: a number that its attention heads can be
    divided by. One that fits nowhere stays as it is, to be refused with its numbers."""
    largest = sorted(totals, reverse=True)
    for number in range(1, len(largest) + 1):
        wide = replace(model, tensor_parallel=number)
        fits = LAUNCHERS[model.kind].need(wide).device <= largest[number - 1]
        if fits and (number == 1 or (heads and heads % number == 0)):
            return wide
    return model


LAUNCHERS: Mapping[str, Launcher] = {"vllm": VllmServe(), "transformers": TransformersServe()}
