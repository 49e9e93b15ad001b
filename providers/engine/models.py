"""Which media models this host offers, and what is needed to load each."""

import json
import logging
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from providers.engine.safety import why_unsafe
from providers.engine.weights import weights_of
from providers.media.cards import Card, card_of

CATALOG = Path(__file__).with_name("catalog.toml")
FAKE, DIFFUSERS = "fake", "diffusers"
PROFILES = ("fast", "offload", "group", "low")  # from the fastest to the one that takes the least memory
LEAST_MULTIPLE = 8  # pixels a side that every autoencoder makes one of
QUANTISE = ("fp8", "int8", "int4")
BACKENDS = ("native", "flash", "_flash_3", "flex", "sage", "xformers", "_native_cudnn")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Model:
    """One media model. `spec` is what its worker loads it from (class, folder, options); `bytes` an estimate
    of its peak; `unsafe` says why it is not loaded; `folder` is None while it is not on the disk."""

    name: str
    kind: str
    card: Card
    spec: Mapping[str, Any] = field(default_factory=dict)
    bytes: int = 0
    folder: Path | None = None
    unsafe: str = ""

    @property
    def there(self) -> bool:
        """Whether it can be loaded."""
        return self.kind == FAKE or (self.folder is not None and not self.unsafe)


@cache
def catalogue() -> list[dict[str, Any]]:
    """The entries of catalog.toml."""
    models: list[dict[str, Any]] = tomllib.loads(CATALOG.read_text(encoding="utf-8"))["models"]
    return models


def offered(device: str, folders: Iterable[Path]) -> dict[str, Model]:
    """Every model by name: on the fake device the fake ones, else the catalogue's and those in folders."""
    entries = catalogue()
    if device == FAKE:
        found = [_entry(one, None) for one in entries if one["kind"] == FAKE]
        return {model.name: model for model in found}
    on_disk = _on_disk(folders)
    models = {}
    for one in entries:
        if one["kind"] != FAKE:
            repository = one["repository"]
            short = repository.rpartition("/")[2]
            folder = on_disk.pop(repository, None) or on_disk.pop(short, None)
            models[one["name"]] = _entry(one, folder)
    for name, folder in on_disk.items():
        if (model := _unlisted(name, folder)) is not None:
            models.setdefault(model.name, model)
    return models


def _entry(entry: Mapping[str, Any], folder: Path | None) -> Model:
    spec = {name: value for name, value in entry.items() if name not in ("card", "bytes")}
    told = {"name": entry["name"], "label": entry.get("label", entry["name"]), **entry["card"]}
    size = int(entry.get("bytes", 0)) or (weights_of(folder).disk if folder else 0)
    told.setdefault("memory", size)
    if entry["kind"] == DIFFUSERS:
        defaults = entry.get("defaults", {})
        told["options"] = [*told.get("options", ()), *_options(defaults, "frames_every" in entry)]
        told["defaults"] = {name: defaults[name] for name in ("width", "height") if name in defaults}
    unsafe = why_unsafe(folder) if folder else ""
    card = card_of(told)
    spec["multiple"] = max(card.multiple, LEAST_MULTIPLE)
    return Model(entry["name"], entry["kind"], card, spec, size, folder, unsafe)


def _unlisted(name: str, folder: Path) -> Model | None:
    """A diffusers model that the catalogue does not have: its pipeline tells by its name what it makes."""
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        pipeline = str(index["_class_name"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    video = any(word in pipeline for word in ("Wan", "LTX", "Video", "CogVideo", "Hunyuan", "Mochi"))
    image = "image_to_video" if "ImageToVideo" in pipeline else "text_to_video"
    tasks = [image] if video else ["text_to_image", "image_to_image", "inpaint"]
    size = weights_of(folder).disk
    card = card_of(
        {
            "name": name, "label": name, "tasks": tasks, "multiple": 16 if video else 8, "seeds": True,
            "negative": True, "strength": not video, "count": 1 if video else 4, "quality": 40,
            "options": _options({}, video), "memory": size,
        }
    )  # fmt: skip
    spec = {"name": name, "class": pipeline, "multiple": card.multiple}
    return Model(name, DIFFUSERS, card, spec, size, folder, why_unsafe(folder))


def _options(defaults: Mapping[str, Any], video: bool) -> list[dict[str, Any]]:
    """What every model of diffusers takes besides the words."""
    steps = {"name": "steps", "kind": "int", "low": 1, "high": 100, "default": defaults.get("steps")}
    rate = {"name": "fps", "kind": "int", "low": 1, "high": 60, "default": defaults.get("fps", 16)}
    return [
        steps,
        {
            "name": "guidance", "kind": "float", "low": 0, "high": 30, "default": defaults.get("guidance"),
        },
        *([rate] if video else []),
        {"name": "lora", "kind": "text", "high": 300},
        {"name": "profile", "kind": "choice", "choices": PROFILES, "default": PROFILES[0]},
        {"name": "quantise", "kind": "choice", "choices": QUANTISE},
        {"name": "attention", "kind": "choice", "choices": BACKENDS},
    ]  # fmt: skip


def _on_disk(folders: Iterable[Path]) -> dict[str, Path]:
    """Folders with a model_index.json, by the repository's name: plain ones, and a Hugging Face cache's."""
    found: dict[str, Path] = {}
    for root in folders:
        for index in _indexes(root, "*/model_index.json", "*/*/model_index.json"):
            name = str(index.parent.relative_to(root))
            if not name.startswith("."):
                found.setdefault(name, index.parent)
        for index in _indexes(root, "models--*/snapshots/*/model_index.json"):
            repository = index.parents[2].name.removeprefix("models--").replace("--", "/", 1)
            if repository not in found or index.parent.name == _main(index.parents[2]):
                found[repository] = index.parent
    return found


def _indexes(root: Path, *patterns: str) -> list[Path]:
    """What is found there; nothing where a folder vanishes meanwhile: the next look tells."""
    try:
        return sorted(one for pattern in patterns for one in root.glob(pattern)) if root.is_dir() else []
    except OSError as error:
        logger.info("%s changes: %s", root, error)
        return []


def _main(repository: Path) -> str:
    """The commit that a cached repository's main branch names."""
    try:
        return (repository / "refs/main").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
