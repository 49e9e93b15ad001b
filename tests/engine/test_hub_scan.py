"""Models on disk: what they are, and that no file of theirs can break the scan."""

import json
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.engine.hub.found import FoundModel
from providers.engine.hub.judging import judge
from providers.engine.hub.scan import scan, text_models

LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "max_position_embeddings": 8192, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_size": 64,
}  # fmt: skip


def tensors(**shapes: tuple[str, list[int], int]) -> bytes:
    """A safetensors file: of each tensor its kind, shape and bytes."""
    header, end = {}, 0
    for name, (kind, shape, size) in shapes.items():
        header[name.replace("__", ".")] = {"dtype": kind, "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(end)


PLAIN = tensors(a=("F16", [10, 20], 400), b=("F32", [5], 20))


def model(folder: Path, files: dict[str, Any]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def judged(folder: Path, files: dict[str, Any]) -> FoundModel:
    return judge("x", model(folder, files), [])


def test_the_cache_and_listed_folders(tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--org--llama"
    blob = model(repository / "blobs", {"abc": PLAIN}) / "abc"
    for revision in ("new", "old"):
        snapshot = model(repository / "snapshots" / revision, {"config.json": LLAMA})
        (snapshot / "model.safetensors").symlink_to(os.path.relpath(blob, snapshot))
    model(repository / "refs", {"main": b"old"})
    model(
        tmp_path / "hub" / "models--gpt2" / "snapshots" / "1", {"config.json": LLAMA, "a.safetensors": PLAIN}
    )
    model(tmp_path / "hub" / "datasets--org--x" / "snapshots" / "1", {"config.json": LLAMA})
    model(
        tmp_path / "mine" / "pipe",
        {"model_index.json": {"_class_name": "WanPipeline"}, "vae/v.safetensors": PLAIN},
    )
    model(tmp_path / "mine" / "owner" / "chat", {"config.json": LLAMA, "a.safetensors": PLAIN})
    found = {one.name: one for one in scan(tmp_path / "hub", [tmp_path / "mine", tmp_path / "nowhere"])}
    assert list(found) == ["gpt2", "org/llama", "owner/chat", "pipe"]
    one = found["org/llama"]
    assert one.folder.name == "old" and one.usable and (one.family, one.quantisation) == ("text", "FP16")
    assert (one.parameters, one.tensor_bytes, one.context) == (205, 420, 8192)
    assert one.cache_per_token == 2 * 2 * 2 * 16 * 2 and one.lora
    assert one.size_bytes == len(PLAIN) + len(json.dumps(LLAMA))
    assert (found["pipe"].family, found["pipe"].architecture) == ("video", "WanPipeline")
    assert [one.name for one in text_models(list(found.values()), "vllm")] == [
        "gpt2",
        "org/llama",
        "owner/chat",
    ]


@pytest.mark.parametrize(
    ("config", "name", "bits"),
    [
        ({"quant_method": "awq", "bits": 4}, "AWQ", 4),
        ({"quant_method": "gptq", "bits": 8}, "GPTQ", 8),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "BNB", 4),
        ({"quant_method": "exl2", "bits": 4.5}, "EXL2", 0),
        ({"quant_method": "compressed-tensors"}, "COMPRESSED-TENSORS", 0),
        ({"quant_method": ["<script>"]}, "?", 0),
    ],
)
def test_quantisation(tmp_path: Path, config: Any, name: str, bits: int) -> None:
    packed = tensors(a__qweight=("I32", [10, 20], 800), a__scales=("F16", [20], 40))
    found = judged(
        tmp_path, {"config.json": LLAMA | {"quantization_config": config}, "m.safetensors": packed}
    )
    assert (found.quantisation, found.bits, found.usable) == (name, bits, True)
    assert found.parameters == 200 * (32 // bits if bits else 1)
    assert [one.name for one in text_models([found], "vllm")] == ([] if name in ("EXL2", "?") else ["x"])


def test_gguf_and_adapters(tmp_path: Path) -> None:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    pairs = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b"),
        text("scores") + struct.pack("<IIQ", 9, 6, 3) + bytes(12),
        text("llama.context_length") + struct.pack("<II", 4, 4096),
    ]
    data = struct.pack("<4sIQQ", b"GGUF", 3, 0, len(pairs)) + b"".join(pairs)
    found = judged(tmp_path / "a", {"tiny-Q4_K_M.gguf": data})
    assert (found.quantisation, found.architecture, found.context, found.bits) == ("GGUF", "llama", 4096, 4)
    assert judged(tmp_path / "b", {"x.gguf": data[:-6]}).problem
    base = judged(tmp_path / "base", {"config.json": LLAMA, "m.safetensors": PLAIN})
    adapter = judge(
        "mine", model(tmp_path / "c", {
            "adapter_config.json": {"base_model_name_or_path": "x", "r": 20, "peft_type": "LORA"},
            "adapter_model.safetensors": PLAIN,
        }), [],
    )  # fmt: skip
    assert (adapter.family, adapter.base, adapter.rank) == ("adapter", "x", 20)
    [chat] = text_models([base, adapter], "vllm")
    assert chat.loras == {"mine": adapter.folder} and chat.lora_rank == 32


UNSAFE: dict[str, dict[str, Any]] = {
    "pickle": {"config.json": LLAMA, "pytorch_model.bin": b"x"},
    "checkpoint": {"sd.ckpt": b"x"},
    "pickle in a part": {
        "model_index.json": {"_class_name": "FluxPipeline"}, "vae/v.safetensors": PLAIN, "unet/u.bin": b"x",
    },
    "auto_map": {"config.json": LLAMA | {"auto_map": {"AutoModel": "m.M"}}, "m.safetensors": PLAIN},
    "tokenizer": {
        "config.json": LLAMA, "tokenizer_config.json": {"auto_map": {"a": "b"}}, "m.safetensors": PLAIN,
    },
    "code": {"config.json": LLAMA, "modeling_x.py": b"", "m.safetensors": PLAIN},
    "pipeline": {"model_index.json": {"_class_name": ["pipe", "P"]}, "v.safetensors": PLAIN},
    "part": {"model_index.json": {"_class_name": "P", "unet": ["evil", "U"]}, "v.safetensors": PLAIN},
}  # fmt: skip


@pytest.mark.parametrize("name", UNSAFE)
def test_pickles_and_code_are_unsafe(tmp_path: Path, name: str) -> None:
    found = judged(tmp_path, UNSAFE[name])
    assert found.unsafe and not found.usable and not text_models([found], "vllm")


def test_a_pickle_beside_safetensors_is_never_loaded_and_does_no_harm(tmp_path: Path) -> None:
    files = {"config.json": LLAMA, "m.safetensors": PLAIN, "pytorch_model.bin": b"x"}
    assert judged(tmp_path, files).usable


DEEP = b"[" * 200_000
HOSTILE: dict[str, dict[str, Any]] = {
    "json": {"config.json": b"{broken"},
    "deep json": {"config.json": b'{"a":' + DEEP},
    "list": {"config.json": [1]},
    "large json": {"config.json": b" " * (9 << 20)},
    "huge header": {"config.json": LLAMA, "m.safetensors": struct.pack("<Q", 1 << 62)},
    "large header": {"config.json": LLAMA, "m.safetensors": struct.pack("<Q", 40 << 20) + b"{"},
    "empty": {"config.json": LLAMA, "m.safetensors": b""},
    "deep header": {"config.json": LLAMA, "m.safetensors": struct.pack("<Q", len(DEEP)) + DEEP},
    "cut off": {"config.json": LLAMA, "m.safetensors": PLAIN[:-1]},
    "shapes": {"config.json": LLAMA, "m.safetensors": tensors(a=("F16", [1 << 49, 1 << 49], 2))},
    "text as shape": {"config.json": LLAMA, "m.safetensors": tensors(a=("F16", ["a"], 2))},  # type: ignore[list-item]
    "shards": {
        "config.json": LLAMA, "m-1.safetensors": PLAIN,
        "m.safetensors.index.json": {"weight_map": {"a": "m-1.safetensors", "b": "../../m-2.safetensors"}},
    },
    "gguf": {"m.gguf": b"GGUF" + b"\xff" * 40},
    "no weights": {"config.json": LLAMA},
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_mark_their_model_only(tmp_path: Path, name: str) -> None:
    model(tmp_path / "bad", HOSTILE[name])
    model(tmp_path / "good", {"config.json": LLAMA, "m.safetensors": PLAIN})
    bad, good = scan(None, [tmp_path])
    assert bad.problem and len(bad.problem) < 200 and not bad.usable
    assert good.usable and not good.problem


def test_links_that_lead_out_and_endless_folders(tmp_path: Path) -> None:
    secret = model(tmp_path / "secret", {"m.safetensors": PLAIN})
    bad = model(tmp_path / "models" / "bad", {"config.json": LLAMA})
    (bad / "m.safetensors").symlink_to(secret / "m.safetensors")
    folder = model(tmp_path / "models" / "folder", {"config.json": LLAMA, "m.safetensors": PLAIN})
    (folder / "sub").symlink_to(secret)
    loop = model(tmp_path / "models" / "loop", {"config.json": LLAMA, "m.safetensors": PLAIN})
    (loop / "again").symlink_to(loop)
    (loop / "gone").symlink_to(loop / "nothing")
    (tmp_path / "models" / "whole").symlink_to(secret)
    found = scan(None, [tmp_path / "models"])
    assert [(one.name, bool(one.problem)) for one in found] == [
        ("bad", True),
        ("folder", True),
        ("loop", False),
    ]
    assert "leads out" in found[0].problem


def test_numbers_that_lie_count_as_nothing(tmp_path: Path) -> None:
    config = LLAMA | {"max_position_embeddings": -5, "num_hidden_layers": "many", "hidden_size": 10**30}
    found = judged(tmp_path, {"config.json": config, "m.safetensors": PLAIN})
    assert (found.context, found.cache_per_token, found.usable) == (0, 0, True)
    config = {"architectures": ["<b>ForCausalLM"], "model_type": "a\x00b", "text_config": 5}
    assert judged(tmp_path / "b", {"config.json": config, "m.safetensors": PLAIN}).architecture == ""


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, len(PLAIN) - 1),
    st.binary(min_size=1, max_size=12),
    st.sampled_from(["m.safetensors", "m.gguf"]),
)
def test_any_bytes_do(tmp_path: Path, place: int, noise: bytes, name: str) -> None:
    data = PLAIN[:place] + noise + PLAIN[place + len(noise) :]
    judged(tmp_path / name, {"config.json" if name[2] == "s" else "x.txt": LLAMA, name: data})
