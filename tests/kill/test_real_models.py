"""The whole way with real models: words in a chat become a picture, a clip and an answer, on the CPU.

Tiny models with random weights (tests/engine/tiny.py) and one that was trained for seconds (text_model.py).
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.engine.text_real import tiny_chat
from tests.fakes.remote import RemoteBotApi
from tests.fleets import token
from tests.installation import ROOT, Installation, wait_until

pytestmark = [pytest.mark.kill, pytest.mark.timeout(240)]
PYTHON = ROOT / ".venv-diffusers/bin/python"
PICTURES = ROOT / ".cache/tiny"


def models(folder: Path) -> None:
    """The tiny models, where the engine host of this installation looks for them."""
    environ = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(
        [str(PYTHON), str(ROOT / "tests/engine/tiny.py"), str(PICTURES)],
        check=True, env=environ, capture_output=True,
    )  # fmt: skip
    for name in ("tiny-sd", "tiny-wan"):
        shutil.copytree(PICTURES / name, folder / name)
    shutil.copytree(tiny_chat().folder, folder / "tiny-chat")


def test_words_become_a_picture_a_clip_and_an_answer(tmp_path: Path) -> None:
    models(tmp_path / "home" / "engine" / "models")
    environ = {"BOTYARD_ENGINE_DEVICE": "cpu", "OMP_NUM_THREADS": "1", "HF_HOME": str(tmp_path / "hf")}
    installation = Installation(tmp_path / "home", **environ)
    with RemoteBotApi() as api:
        installation.start()
        try:
            bot = {"id": "real", "token": token(1), "api_base": api.root}
            assert installation.get("/api/v1/bots", "POST", bot)[0] == 201
            route = {"name": "Default", "candidates": ["engine:tiny-chat"]}
            status, answer = installation.get("/api/v1/routes/default", "PUT", route)
            assert status == 200, answer
            installation.wait_ready()
            api.say(token(1), 7, "/image a red cat --steps 2 --size 64x64 --seed 1")
            api.say(token(1), 8, "/video waves --steps 2 --size 64x64 --seconds 0.5")
            api.say(token(1), 9, "hello")
            for chat, kind in ((7, ["photo"]), (8, ["video"])):
                wait_until(lambda: [one["media"] for one in api.visible(chat)] == [kind], 90, f"a {kind}")  # noqa: B023
            said = wait_until(lambda: [one["text"] for one in api.visible(9)], 90, "an answer")
            assert "bot" in said[-1], said  # the few words that the model knows
            answered = "SELECT source_id FROM message WHERE source = 'model'"
            assert installation.rows(answered) == [("engine:tiny-chat",)]
        finally:
            installation.stop()
