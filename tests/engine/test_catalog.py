"""The catalogue of local media models against diffusers itself, and models on the disk."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from providers.engine.models import BACKENDS, PROFILES, catalogue, offered
from providers.engine.weights import variant_of, weights_of
from tests.engine.hosts import ROOT

PYTHON = ROOT / ".venv-diffusers/bin/python"
ENTRIES = [one for one in catalogue() if one["kind"] == "diffusers"]
NAMES = {
    "steps": "num_inference_steps", "guidance": "guidance_scale", "frames": "num_frames",
    "negative": "negative_prompt", "count": "num_images_per_prompt",
}  # fmt: skip


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    if not PYTHON.exists():
        pytest.fail("no .venv-diffusers: run `python orchestrator.py engines install diffusers`")
    classes = {one["class"] for one in ENTRIES} | {
        c for one in ENTRIES for c in one.get("classes", {}).values()
    }
    run = subprocess.run(
        [PYTHON, ROOT / "tests/engine/catalog_facts.py", *sorted(classes)],
        capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda one: one["name"])
def test_an_entry_is_what_diffusers_takes(entry: dict[str, Any], facts: dict[str, Any]) -> None:
    kind = facts[entry["class"]]
    assert kind is not None, "no such class"
    names = {**NAMES, **entry.get("names", {})}
    defaults = set(entry["defaults"]) - {"fps"}
    assert {names.get(name, name) for name in defaults} - set(kind["takes"]) == set()
    assert "callback_on_step_end" in kind["takes"] or kind["bar"], "steps cannot be told, nor cancelled"
    card = entry["card"]
    if card.get("negative"):
        assert "negative_prompt" in kind["takes"]
    if card.get("count", 1) > 1:
        assert "num_images_per_prompt" in kind["takes"]
    assert set(entry.get("float32", ())) <= set(kind["modules"])


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda one: one["name"])
def test_every_task_has_a_pipeline(entry: dict[str, Any], facts: dict[str, Any]) -> None:
    kind = facts[entry["class"]]
    for task in entry["card"]["tasks"]:
        takes = kind["takes"]
        if task in entry.get("classes", {}):
            other = facts[entry["classes"][task]]
            takes = other["takes"]
            assert set(other["modules"]) <= set(kind["modules"]) | set(other["optional"])
        elif task == "image_to_image" and "image" not in takes:
            takes = kind["others"]["IMAGE2IMAGE"]
        elif task == "inpaint" and "mask_image" not in takes:
            takes = kind["others"]["INPAINT"]
        assert "prompt" in takes
        assert task.startswith("text") or "image" in takes
        assert task != "inpaint" or "mask_image" in takes
        if entry["card"].get("strength") and task in ("image_to_image", "inpaint"):
            assert "strength" in takes


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda one: one["name"])
def test_defaults_are_sizes_and_lengths_that_the_model_makes(entry: dict[str, Any]) -> None:
    defaults, card = entry["defaults"], entry["card"]
    for side in ("width", "height"):
        assert defaults.get(side, 0) % card.get("multiple", 1) == 0
    video = any(task.endswith("video") for task in card["tasks"])
    assert video == ("frames_every" in entry) == ("frames" in defaults) == bool(card.get("seconds"))
    if video:
        every, rate = entry["frames_every"], defaults["fps"]
        assert defaults["frames"] % every == 1
        frames = [int(seconds * rate) // every * every + 1 for seconds in card["seconds"]]
        assert max(frames) <= max(defaults["frames"], 161)


def test_names_and_repositories_are_told_once_and_cards_are_whole(tmp_path: Path) -> None:
    assert (
        len({one["name"] for one in ENTRIES}) == len({one["repository"] for one in ENTRIES}) == len(ENTRIES)
    )
    models = offered("cpu", [tmp_path])
    assert len(models) == len(ENTRIES) >= 15
    for model in models.values():
        options = {one.name: one for one in model.card.options}
        assert {"steps", "guidance", "lora", "profile", "quantise", "attention"} <= set(options)
        assert options["profile"].choices == PROFILES and options["attention"].choices == BACKENDS
        assert model.spec["multiple"] % 8 == 0 and model.spec["multiple"] >= model.card.multiple
        assert model.card.memory == model.bytes > 5_000_000_000 and model.card.notes and not model.there


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda one: one["name"])
def test_an_entry_is_documented(entry: dict[str, Any]) -> None:
    (line,) = [
        one for one in (ROOT / "docs/engines.md").read_text().splitlines() if f"`{entry['name']}`" in one
    ]
    assert entry["repository"] in line and line.endswith(f"| {entry['bytes'] // 10**9} |")


def repository(root: Path, name: str, kind: str = "FluxPipeline") -> Path:
    folder = root / name
    (folder / "unet").mkdir(parents=True)
    (folder / "vae").mkdir()
    index = {"_class_name": kind, "unet": ["diffusers", "A"], "vae": ["diffusers", "B"]}
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def tensors(path: Path, *shape: int, dtype: str = "F16") -> None:
    """A file with a header and no numbers."""
    header = json.dumps({"__metadata__": {}, "a": {"dtype": dtype, "shape": shape, "data_offsets": [0, 0]}})
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode())


def test_a_model_is_found_by_its_repository_its_short_name_and_in_the_hubs_cache(tmp_path: Path) -> None:
    repository(tmp_path, "black-forest-labs/FLUX.1-dev")
    repository(tmp_path, "Z-Image-Turbo")
    repository(tmp_path, "mine", "WanImageToVideoPipeline")
    cached = tmp_path / "models--Qwen--Qwen-Image"
    for commit in ("aaa", "bbb", "ccc"):
        repository(cached / "snapshots", commit)
    (cached / "refs").mkdir()
    (cached / "refs/main").write_text("bbb\n")
    models = offered("cpu", [tmp_path])
    assert {one.name for one in models.values() if one.there} == {
        "flux-dev", "z-image-turbo", "qwen-image", "mine",
    }  # fmt: skip
    folder = models["qwen-image"].folder
    assert folder is not None and folder.name == "bbb"
    assert [str(task) for task in models["mine"].card.tasks] == ["image_to_video"]


def test_only_the_parts_that_are_loaded_count(tmp_path: Path) -> None:
    folder = repository(tmp_path, "a")
    tensors(folder / "everything.safetensors", 1000, 1000)
    tensors(folder / "unet/model.safetensors", 10, 20)
    tensors(folder / "unet/model.fp16.safetensors", 10, 20)
    tensors(folder / "vae/model.fp16.safetensors", 7)
    weights = weights_of(folder)
    assert weights.parts == {"unet": 200, "vae": 7}
    assert (weights.whole, weights.largest) == (207, 200)
    assert variant_of(folder) == "fp16"
    (folder / "vae/model.fp16.safetensors").rename(folder / "vae/model.safetensors")
    assert variant_of(folder) is None
    tensors(folder / "vae/model.safetensors", 60, dtype="U8")
    assert weights_of(folder).parts == {"unet": 200, "vae": 30}


def test_a_hostile_header_is_only_a_guess(tmp_path: Path) -> None:
    folder = repository(tmp_path, "a")
    for number, head in enumerate(
        (b"\xff" * 16, b"", b"\x02" + b"\0" * 7 + b"[]", b"\x04" + b"\0" * 7 + b"nope")
    ):
        (folder / f"unet/{number}.safetensors").write_bytes(head)
    assert 0 <= weights_of(folder).whole < 100
    (folder / "model_index.json").write_text("[1]")
    assert weights_of(folder).parts == {}
