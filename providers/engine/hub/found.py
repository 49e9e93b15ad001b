"""One model on disk, as found and judged."""

from dataclasses import dataclass
from pathlib import Path

TEXT, IMAGE, VIDEO, ADAPTER, OTHER = "text", "image", "video", "adapter", "other"


@dataclass(slots=True)
class FoundModel:
    """What the files say. `family` is text, image, video, adapter (a LoRA) or other; `architecture` is the
    class that the model names; `size_bytes` is on disk, `tensor_bytes` what its weights take in memory as
    they are stored. `unsafe` says why it is not loaded, `problem` what is wrong with its files;
    both "" otherwise.
    """

    name: str
    folder: Path
    family: str = OTHER
    architecture: str = ""
    quantisation: str = ""
    bits: int = 0
    size_bytes: int = 0
    parameters: int = 0
    tensor_bytes: int = 0
    context: int = 0
    cache_per_token: int = 0
    heads: int = 0
    embeds: bool = False
    base: str = ""  # what an adapter was made for
    rank: int = 0
    unsafe: str = ""
    problem: str = ""

    @property
    def usable(self) -> bool:
        """Whether anything may be loaded from it."""
        return not (self.unsafe or self.problem)

    @property
    def lora(self) -> bool:
        """Whether adapters can be loaded beside it."""
        return self.family == TEXT and not self.embeds and self.quantisation not in ("GGUF", "EXL2")
