"""Finding models: in the Hugging Face cache and in folders that the operator lists."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from providers.engine.hub.found import ADAPTER, TEXT, FoundModel
from providers.engine.hub.judging import judge
from providers.engine.text.model import TextModel

REPOSITORY = re.compile(r"models--([\w.\-]+?)(?:--([\w.\-]+))?")
REVISION = re.compile(r"[\w.\-]{1,100}")
SIGNS = ("config.json", "model_index.json", "adapter_config.json")
WEIGHTS = (".safetensors", ".gguf", *(".bin", ".pt", ".ckpt", ".pkl"))
RUNS_ON_VLLM = {"FP16", "BF16", "FP32", "AWQ", "GPTQ", "BNB", "FP8", "COMPRESSED-TENSORS"}


def scan(cache: Path | None, folders: Sequence[Path]) -> list[FoundModel]:
    """Every model of the cache (HF_HOME/hub) and of the folders, by name. Blocks: call it in a thread."""
    roots = [one.resolve() for one in (*((cache,) if cache else ()), *folders)]
    models: dict[str, FoundModel] = {}
    places = [*(_cached(cache) if cache else ()), *(one for folder in folders for one in _listed(folder))]
    for name, folder in places:
        if name not in models:
            models[name] = judge(name, folder, roots)
    return sorted(models.values(), key=lambda one: one.name)


def text_models(found: Sequence[FoundModel], kind: str) -> list[TextModel]:
    """What a kind of text server can be started with, each with the adapters that were made for it."""
    adapters = [one for one in found if one.family == ADAPTER and one.usable]
    models = []
    for one in found:
        if one.family != TEXT or not one.usable or one.quantisation not in RUNS_ON_VLLM:
            continue
        if kind == "transformers" and one.embeds:
            continue
        own = [adapter for adapter in adapters if adapter.base in (one.name, str(one.folder))]
        takes = kind == "vllm" and one.lora
        models.append(
            TextModel(
                one.name, one.folder, kind, weights=one.tensor_bytes, cache_per_token=one.cache_per_token,
                context=min(one.context, 32_768), embeds=one.embeds,
                loras={adapter.name: adapter.folder for adapter in own} if takes else {},
                lora_rank=_rank(max((adapter.rank for adapter in own), default=16)),
            )
        )  # fmt: skip
    return models


def _rank(needed: int) -> int:
    """The next rank that vLLM accepts."""
    return next((one for one in (8, 16, 32, 64, 128, 256, 320, 512) if one >= needed), 512)


def _cached(cache: Path) -> Iterator[tuple[str, Path]]:
    """Repositories in the layout of the Hugging Face cache, at the revision that "main" names."""
    for repository in _folders(cache):
        match = REPOSITORY.fullmatch(repository.name)
        if match is None:
            continue
        snapshots = list(_folders(repository / "snapshots"))
        named = _main(repository)
        chosen = [one for one in snapshots if one.name == named] or sorted(snapshots, key=_changed)
        if chosen:
            yield "/".join(part for part in match.groups() if part), chosen[-1]


def _main(repository: Path) -> str:
    try:
        with (repository / "refs" / "main").open("rb") as file:
            text = file.read(200).decode(errors="replace").strip()
    except OSError:
        return ""
    return text if REVISION.fullmatch(text) else ""


def _listed(folder: Path) -> Iterator[tuple[str, Path]]:
    """A folder that is a model, or that holds models, or owners' folders that hold them."""
    if _is_model(folder):
        yield folder.name, folder
        return
    for one in _folders(folder):
        if _is_model(one):
            yield one.name, one
        else:
            yield from ((f"{one.name}/{inner.name}", inner) for inner in _folders(one) if _is_model(inner))


def _is_model(folder: Path) -> bool:
    try:
        names = [one.name for one, _ in zip(folder.iterdir(), range(1000), strict=False)]
    except OSError:
        return False
    return any(name in SIGNS or name.endswith(WEIGHTS) for name in names)


def _folders(folder: Path) -> Iterator[Path]:
    try:
        inside = sorted(folder.iterdir())
    except OSError:
        return
    yield from (
        one for one in inside if one.is_dir() and not one.is_symlink() and not one.name.startswith(".")
    )


def _changed(folder: Path) -> float:
    return folder.stat().st_mtime
