"""Real pipelines of kinds that the other tests do not have: without a callback, with several classes."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.engine.hosts import ROOT
from tests.engine.test_diffusion import MODELS, PYTHON


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if not PYTHON.exists():
        pytest.fail("no .venv-diffusers: run `python orchestrator.py engines install diffusers`")
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    building = [PYTHON, ROOT / "tests/engine/tiny.py", MODELS]
    subprocess.run(building, check=True, env=environ, capture_output=True)
    work: Path = tmp_path_factory.mktemp("runs")
    running = [PYTHON, "-m", "tests.engine.catalog_runs", MODELS, work]
    run = subprocess.run(running, cwd=ROOT, env=environ, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def test_steps_are_told_and_cancelled_without_a_callback(told: dict[str, Any]) -> None:
    assert told["bar"] == {"told": [[1, 3], [2, 3], [3, 3]], "stopped": True, "files": 1}


def test_one_model_makes_clips_from_words_and_from_a_picture(told: dict[str, Any]) -> None:
    words, shown, sized = told["wan"]["settings"]
    assert told["wan"]["steps"] == [1, 2, 3] and told["wan"]["mimes"] == ["video/mp4"] * 3
    assert words == {"class": "WanPipeline", "width": 64, "height": 64, "num_frames": 9}
    assert shown == {"class": "WanImageToVideoPipeline", "width": 64, "height": 48, "num_frames": 9}
    assert sized == {"class": "WanImageToVideoPipeline", "width": 32, "height": 48, "num_frames": 5}
