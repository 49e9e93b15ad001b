"""Text models as the host offers them, and how their engines are run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

VLLM, TRANSFORMERS = "vllm", "transformers"
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class TextModel:
    """One language model on disk and everything its engine is started with.

    `weights` are bytes of the tensors, `cache_per_token` bytes of attention cache for one token; `loras` are
    the adapters that may be loaded, by the name that requests give. `context` 0 leaves the model's own,
    `most_requests` are served at a time, `waiting` more may queue; `embeds` marks a model of embeddings.
    """

    name: str
    folder: Path
    kind: str = VLLM
    weights: int = 0
    cache_per_token: int = 0
    context: int = 0
    tensor_parallel: int = 1
    most_requests: int = 16
    waiting: int = 32
    loras: Mapping[str, Path] = field(default_factory=dict)
    lora_rank: int = 16
    sleeps: bool = True
    embeds: bool = False


@dataclass(frozen=True, slots=True)
class TextSettings:
    """How engines are run. `command` gives the first words of a kind's argv, asked at each start;
    `lora_folders` hold what may be loaded as an adapter; `residual` is what a sleeping engine may still hold
    on a device; `tried` hears what each model's last try of a token came to: "", or why there was none."""

    command: Callable[[str], Sequence[str]]
    folder: Path  # logs and records of processes
    environment: Mapping[str, str] = field(default_factory=dict)
    lora_folders: tuple[Path, ...] = ()
    device: str = "auto"
    residual: int = 3 * GIB
    start_seconds: float = 900.0
    token_seconds: float = 60.0
    sleep_seconds: float = 30.0
    freed_seconds: float = 5.0
    drain_seconds: float = 60.0
    term_seconds: float = 10.0
    tried: Callable[[str, str], None] = lambda model, why: None


class State(StrEnum):
    """How an engine is."""

    COLD = "cold"
    LOADING = "loading"
    READY = "ready"
    ASLEEP = "asleep"
    FAILED = "failed"


class EngineFailed(Exception):
    """An engine did not start, did not wake or died; its text is for an operator."""


class EngineBusy(Exception):
    """Replies are running that must not be cut off, or no more requests are taken now."""

    def __init__(self, reason: str, retry_after: float = 1.0) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
