"""What is read from nvidia-smi, against a program that prints what it prints."""

from pathlib import Path

import pytest

from providers.engine.text.gpu import GpuMemory


def program(folder: Path, prints: str, code: int = 0) -> GpuMemory:
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{prints}END\nexit {code}\n")
    path.chmod(0o755)
    return GpuMemory(str(path))


async def test_what_processes_hold_and_that_it_is_gone(tmp_path: Path) -> None:
    gpu = program(tmp_path, "11, 2048\n12, 1024\n99, 7\n12, 1\n")
    assert await gpu.held((11, 12)) == (2048 + 1024 + 1) << 20
    program(tmp_path, "99, 7\n")
    assert await gpu.held((11, 12)) == 0
    assert await gpu.held((13,)) is None


@pytest.mark.parametrize(
    ("prints", "code"), [("11, [N/A]\n", 0), ("11, 5\n", 9), ("", 0), ("no devices\n", 0)]
)
async def test_what_cannot_be_told(tmp_path: Path, prints: str, code: int) -> None:
    assert await program(tmp_path, prints, code).held((11,)) is None


async def test_no_driver(tmp_path: Path) -> None:
    assert await GpuMemory(str(tmp_path / "nowhere")).held((11,)) is None
