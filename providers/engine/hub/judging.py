"""Judging one model's folder: what it is, how large, and whether anything in it could run code."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from providers.engine.hub.found import ADAPTER, IMAGE, OTHER, TEXT, VIDEO, FoundModel
from providers.engine.hub.reading import Broken, Tensors, plain, read_gguf, read_json, read_safetensors, whole

MOST_FILES, DEEPEST = 4000, 5
PICKLES = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib"}
METHODS = {"awq": "AWQ", "gptq": "GPTQ", "bitsandbytes": "BNB", "exl2": "EXL2", "exl3": "EXL3", "fp8": "FP8"}
KINDS = {"F16": "FP16", "BF16": "BF16", "F32": "FP32", "F64": "FP64", "F8_E4M3": "FP8", "F8_E5M2": "FP8"}
MOVING = re.compile(r"video|^wan|^ltx|cogvideo|hunyuanvideo|mochi|animatediff|skyreels|allegro|latte", re.I)
TALKS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
QUANT_IN_NAME = re.compile(r"(?:^|[-._])(I?Q[0-9]_[A-Z0-9_]+|F16|BF16|F32)(?=[-._])", re.I)
LIBRARIES = {"diffusers", "transformers", "accelerate", "peft", "tokenizers"}


def judge(name: str, folder: Path, roots: Sequence[Path]) -> FoundModel:
    """What a folder holds. Files may be links within `roots` only. Never raises for what is in it."""
    folder = folder.resolve()
    found = FoundModel(name, folder)
    try:
        files = _files(folder, roots)
        found.size_bytes = sum({_inode(path): path.stat().st_size for path in files.values()}.values())
        found.unsafe = _runs_code(files) or _pickles(files)
        _describe(found, files)
    except Broken as error:
        found.problem = str(error)
    except OSError as error:
        found.problem = f"cannot be read: {type(error).__name__}"
    return found


def _files(folder: Path, roots: Sequence[Path]) -> dict[str, Path]:
    """Every file by its name within the folder, and where it really lies. Raises Broken."""
    files: dict[str, Path] = {}
    for place, folders, names in os.walk(folder):
        inside = Path(place).relative_to(folder)
        folders[:] = [one for one in folders if one not in (".git", ".cache")]
        if len(inside.parts) >= DEEPEST:
            folders.clear()
        for one in (*folders, *names):
            link = Path(place, one)
            real = link.resolve()
            if not any(real.is_relative_to(root) for root in (folder, *roots)):
                raise Broken(f"{plain(one) or 'a file'} is a link that leads out of the models' folders")
            if one in names and real.is_file():
                files[str(inside / one)] = real
        if len(files) > MOST_FILES:
            raise Broken(f"more than {MOST_FILES} files")
    return files


def _inode(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _runs_code(files: Mapping[str, Path]) -> str:
    """Why it would need code of its own, which is never run."""
    if code := sorted(name for name in files if name.endswith(".py")):
        return f"brings code of its own: {plain(Path(code[0]).name)}"
    for name, path in files.items():
        if Path(name).suffix == ".json" and path.stat().st_size < 1 << 20 and "index.json" not in name:
            try:
                value = read_json(path)
            except Broken:
                continue  # vocabularies and the like may be no objects; those that matter are read again
            if value.get("auto_map"):
                return f"asks for code of its own: auto_map in {plain(Path(name).name)}"
    if "model_index.json" in files:
        return _custom_parts(read_json(files["model_index.json"]))
    return ""


def _custom_parts(index: Mapping[str, Any]) -> str:
    if not isinstance(index.get("_class_name"), str):
        return "asks for a pipeline of its own"
    for name, part in index.items():
        if not name.startswith("_") and isinstance(part, list) and part and part[0] is not None:
            library = str(part[0]).partition(".")[0]
            if library not in LIBRARIES and library not in ("stable_diffusion", "pipelines", "flux"):
                return f"asks for code of its own: {plain(name)}"
    return ""


def _pickles(files: Mapping[str, Path]) -> str:
    """The pickle that would have to be loaded, where a folder has no other weights."""
    safe = {str(Path(name).parent) for name in files if name.endswith((".safetensors", ".gguf"))}
    for name in sorted(files):
        if Path(name).suffix.lower() in PICKLES and str(Path(name).parent) not in safe:
            return f"its weights are a pickle: {plain(Path(name).name) or 'a file'}"
    return ""


def _describe(found: FoundModel, files: Mapping[str, Path]) -> None:
    config = read_json(files["config.json"]) if "config.json" in files else {}
    if "adapter_config.json" in files:
        _adapter(found, read_json(files["adapter_config.json"]))
    elif "model_index.json" in files:
        name = read_json(files["model_index.json"]).get("_class_name")
        found.architecture = plain(name)
        found.family = VIDEO if MOVING.search(found.architecture) else IMAGE
    elif config:
        _language(found, config, files)
    elif gguf := sorted(name for name in files if name.endswith(".gguf")):
        _gguf(found, gguf[0], files[gguf[0]])
        found.tensor_bytes = sum(files[name].stat().st_size for name in gguf)
        return
    _weights(found, files)


def _adapter(found: FoundModel, config: Mapping[str, Any]) -> None:
    found.family = ADAPTER
    found.base = plain(config.get("base_model_name_or_path"))
    found.rank = whole(config.get("r"), 4096)
    found.architecture = plain(config.get("peft_type"))


def _language(found: FoundModel, config: Mapping[str, Any], files: Mapping[str, Path]) -> None:
    names = config.get("architectures")
    first = names[0] if isinstance(names, list) and names else ""
    found.architecture = plain(first) or plain(config.get("_class_name")) or plain(config.get("model_type"))
    found.embeds = "modules.json" in files or any(name.startswith("1_Pooling/") for name in files)
    found.family = TEXT if found.embeds or found.architecture.endswith(TALKS) else OTHER
    inner = config.get("text_config")
    text = {**config, **inner} if isinstance(inner, dict) else config
    for name in ("max_position_embeddings", "n_positions", "n_ctx", "seq_length"):
        found.context = found.context or whole(text.get(name), 1 << 26)
    heads = whole(text.get("num_attention_heads"), 1 << 12)
    found.heads = heads
    width = whole(text.get("head_dim"), 1 << 14) or whole(text.get("hidden_size"), 1 << 20) // max(1, heads)
    layers = whole(text.get("num_hidden_layers"), 1 << 12)
    found.cache_per_token = 4 * layers * (whole(text.get("num_key_value_heads"), 1 << 12) or heads) * width
    quantised = config.get("quantization_config")
    if isinstance(quantised, dict):
        method = quantised.get("quant_method")
        found.quantisation = METHODS.get(str(method).lower(), plain(method).upper() or "?")
        loaded = next((bits for bits in (4, 8) if quantised.get(f"load_in_{bits}bit") is True), 0)
        found.bits = whole(quantised.get("bits"), 32) or whole(quantised.get("w_bit"), 32) or loaded


def _gguf(found: FoundModel, name: str, path: Path) -> None:
    values = read_gguf(path)
    found.family, found.quantisation = TEXT, "GGUF"
    found.architecture = plain(values.get("general.architecture"))
    found.context = whole(values.get(f"{found.architecture}.context_length"), 1 << 26)
    if match := QUANT_IN_NAME.search(Path(name).name):
        found.bits = int(next(iter(re.findall(r"\d+", match[1])), "0"))


def _weights(found: FoundModel, files: Mapping[str, Path]) -> None:
    """Count what the weights' headers promise; a variant beside the same weights counts once."""
    names = [name for name in files if name.endswith(".safetensors")]
    tensors = Tensors()
    for name in names:
        original = re.sub(r"\.(fp16|bf16|fp32|non_ema)(?=[.-])", "", name)
        if original == name or original not in files:
            tensors.add(read_safetensors(files[name], found.bits))
    found.parameters, found.tensor_bytes = tensors.parameters, tensors.size
    if not found.quantisation and {"q_weight", "q_invperm"} <= tensors.endings:
        found.quantisation = "EXL2"
    if not found.quantisation and tensors.kinds:
        kind = max(tensors.kinds, key=lambda one: tensors.kinds[one])
        found.quantisation = KINDS.get(kind, plain(kind))
    if not names and not found.unsafe:
        found.problem = "has no weights" if found.family != OTHER else "is no model"
    _all_shards(files)


def _all_shards(files: Mapping[str, Path]) -> None:
    """Raises Broken when an index names a file that is not there."""
    for name, path in files.items():
        if name.endswith(".safetensors.index.json"):
            weights = read_json(path).get("weight_map")
            shards = set(map(str, weights.values())) if isinstance(weights, dict) else set()
            missing = [one for one in sorted(shards) if str(Path(name).parent / one) not in files]
            if missing:
                raise Broken(f"{len(missing)} of {len(shards)} files of weights are missing")
