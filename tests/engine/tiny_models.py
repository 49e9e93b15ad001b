"""The tiny diffusers models, made once by the family's own interpreter."""

import asyncio
import os
from pathlib import Path

from tests.engine.hosts import ROOT

PYTHON = ROOT / ".venv-diffusers/bin/python"
MODELS = ROOT / ".cache/tiny"


async def tiny_models() -> Path:
    """Their folder. A missing environment is an error, not a skip."""
    if not PYTHON.exists():
        raise RuntimeError("no .venv-diffusers: run `python orchestrator.py engines install diffusers`")
    if not (MODELS / "tiny-wan/model_index.json").exists():
        environ = {**os.environ, "OMP_NUM_THREADS": "1"}
        building = await asyncio.create_subprocess_exec(
            PYTHON, ROOT / "tests/engine/tiny.py", MODELS, env=environ
        )
        assert await building.wait() == 0
    return MODELS
