"""The real text server for tests: an environment that has it, and the tiny model, built once."""

import fcntl
import os
import subprocess
from pathlib import Path

from providers.engine.text.model import TextModel

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / ".cache" / "models" / "tiny-chat"
ENVIRONMENTS = (".venv-diffusers", ".venv-transformers")  # either holds transformers' server; one is enough


def server() -> Path:
    """`transformers` of the first environment that has its server. A missing one is an error, not a skip."""
    for name in ENVIRONMENTS:
        program = ROOT / name / "bin" / "transformers"
        if program.exists() and list((ROOT / name).glob("lib/python*/site-packages/uvicorn")):
            return program
    raise RuntimeError("no environment can serve: python orchestrator.py engines install diffusers")


def tiny_chat() -> TextModel:
    """The recipe's model, trained in about seven seconds where it is not there yet."""
    FOLDER.parent.mkdir(parents=True, exist_ok=True)
    with (FOLDER.parent / "tiny-chat.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not FOLDER.exists():
            environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
            script = ROOT / "tests" / "engine" / "text_model.py"
            argv = [str(server().with_name("python")), str(script), str(FOLDER)]
            subprocess.run(argv, env=environment, check=True, timeout=110)
    return TextModel("tiny/chat", FOLDER, kind="transformers", weights=1_483_936, context=512)


def commands() -> dict[str, tuple[str, ...]]:
    """For TextSettings."""
    return {"transformers": (str(server()),)}
