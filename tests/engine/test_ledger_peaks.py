"""Peaks: estimated from a model's files until they were measured, and kept."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.engine.models import DIFFUSERS, PROFILES, Model
from providers.engine.peaks import Manner, Need, Peak, Peaks, Shape, estimate, shape_of
from providers.media.cards import card_of
from tests.engine.test_catalog import repository, tensors

GB = 10**9


def model(folder: Path | None = None, video: bool = False, **spec: Any) -> Model:
    tasks = ["text_to_video"] if video else ["text_to_image"]
    card = card_of({"name": "m", "label": "m", "tasks": tasks})
    return Model("m", DIFFUSERS, card, spec, 7 * GB, folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = repository(tmp_path, "a")
    tensors(made / "unet/model.safetensors", 6, GB)
    tensors(made / "vae/model.safetensors", 4, GB)
    return made


@given(st.integers(1, 2**26), st.integers(1, 200), st.integers(1, 8))
def test_what_is_as_large_is_in_the_same_bucket_and_never_in_a_smaller_one(p: int, f: int, c: int) -> None:
    shape = Shape(p, f, c)
    assert shape.bucket == Shape(p, f, c).bucket
    assert int(Shape(p * 2, f, c).bucket) > int(shape.bucket)
    assert Shape(p + 1, f, c).activation >= shape.activation


@pytest.mark.parametrize(
    ("video", "request_", "shape"),
    [
        (False, {"width": 512, "height": 256, "count": 3}, Shape(512 * 256, 1, 3)),
        (False, {"width": None, "height": None, "count": 1}, Shape(640 * 1024)),
        (True, {"width": 832, "height": 480, "seconds": 2.0, "params": {"fps": 10}}, Shape(832 * 480, 20)),
        (True, {"params": None}, Shape(640 * 1024, 49)),
        (True, None, Shape(1)),
    ],
)
def test_the_shape_of_a_request(video: bool, request_: dict[str, Any] | None, shape: Shape) -> None:
    assert shape_of(model(video=video, defaults={"width": 640, "frames": 49}), request_) == shape


def test_each_profile_and_precision_takes_less_of_the_gpu(folder: Path) -> None:
    one, shape = model(folder), Shape(1024 * 1024)
    needs = [estimate(one, Manner(number), shape, "cuda") for number in range(len(PROFILES))]
    activation = shape.activation
    assert needs[0] == Need(20 * GB + activation, 0, False, 20 * GB)  # 10 G numbers of two bytes
    assert needs[1] == Need(12 * GB + activation, 20 * GB, False, 12 * GB)
    assert needs[0].device > needs[1].device > needs[2].device >= needs[3].device > activation
    fp8, int4 = (estimate(one, Manner(0, name), shape, "cuda").least for name in ("fp8", "int4"))
    assert 20 * GB > fp8 == 14 * GB > int4
    assert estimate(one, Manner(), shape, "cpu").least == 40 * GB
    assert estimate(model(None), Manner(), shape, "cuda").device == 7 * GB


def test_what_was_measured_wins_and_is_kept(tmp_path: Path, folder: Path) -> None:
    path, one, shape = tmp_path / "home/peaks.json", model(folder), Shape(512 * 512)
    peaks = Peaks(path)
    told = [peaks.learn(one, Manner(), shape, size) for size in (10 * GB, 12 * GB, 9 * GB)]
    assert told == [10 * GB, 12 * GB, 12 * GB]
    assert peaks.need(one, Manner(), shape, "cuda").device == 12 * GB
    known = Peaks(path).find(one, Manner(), shape)
    assert known is not None and (known.most, known.runs) == (12 * GB, 3)
    assert 9 * GB < known.mean < 12 * GB
    for other in (Manner(1), Manner(0, "fp8")):
        assert not Peaks(path).need(one, other, shape, "cuda").measured
    assert Peaks(path).find(one, Manner(), Shape(2048 * 2048)) is None
    assert list(path.parent.iterdir()) == [path]


def test_other_files_of_the_same_name_are_measured_anew(tmp_path: Path) -> None:
    peaks, shape = Peaks(), Shape(1)
    before = model(repository(tmp_path / "models--a/snapshots", "commit-one"))
    after = model(repository(tmp_path / "models--a/snapshots", "commit-two"))
    peaks.learn(before, Manner(), shape, GB)
    assert peaks.find(before, Manner(), shape) == Peak(GB, GB)
    assert peaks.find(after, Manner(), shape) is None


@pytest.mark.parametrize("text", ["", "[]", "null", '{"a": 1}', '{"a": {"most": "x"}}', "\ufffd"])
def test_a_broken_file_is_begun_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "peaks.json"
    path.write_text(text)
    peaks = Peaks(path)
    peaks.learn(model(), Manner(), Shape(1), 5)
    assert len(json.loads(path.read_text())) == 1


def test_a_full_disk_costs_only_the_memory_of_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    peaks = Peaks(tmp_path / "file/peaks.json")
    peaks.learn(model(), Manner(), Shape(1), 5)
    assert peaks.find(model(), Manner(), Shape(1)) == Peak(5, 5.0)
