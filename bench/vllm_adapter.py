"""A LoRA adapter with strong random weights for the tiny model: run by vLLM's interpreter, never imported."""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

RANK, WIDTH, LAYERS = 8, 128, 2
CONFIG = {
    "bias": "none", "fan_in_fan_out": False, "inference_mode": True, "lora_alpha": 16, "lora_dropout": 0.0,
    "peft_type": "LORA", "r": RANK, "target_modules": ["q_proj", "v_proj"], "task_type": "CAUSAL_LM",
}  # fmt: skip


def main(model: Path) -> None:
    """Write it beside the model, as MODEL-adapter."""
    folder = model.with_name(f"{model.name}-adapter")
    folder.mkdir()
    torch.manual_seed(1)
    tensors = {}
    for layer in range(LAYERS):
        for name in CONFIG["target_modules"]:
            place = f"base_model.model.model.layers.{layer}.self_attn.{name}"
            tensors[f"{place}.lora_A.weight"] = torch.randn(RANK, WIDTH) * 0.5
            tensors[f"{place}.lora_B.weight"] = torch.randn(WIDTH, RANK) * 0.5
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {**CONFIG, "base_model_name_or_path": str(model)}
    (folder / "adapter_config.json").write_text(json.dumps(config))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
