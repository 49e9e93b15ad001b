"""Setting up a family with the real pip, from a wheel of our own: no registry is asked."""

import hashlib
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from providers.engine.families import (
    FAMILIES,
    ROOT,
    Family,
    SetupFailed,
    environment,
    install,
    main,
    sizes,
    state,
)

TINY = Family(
    "tiny", "a test", "import tinything; assert tinything.VALUE == 5", torch=False, download=1, disk=1
)


def wheel(folder: Path) -> Path:
    """The smallest wheel that pip installs."""
    path = folder / "tinything-1.0-py3-none-any.whl"
    about = "tinything-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("tinything.py", "VALUE = 5\n")
        file.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tinything\nVersion: 1.0\n")
        told = "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        file.writestr(f"{about}/WHEEL", told)
        file.writestr(f"{about}/RECORD", "")
    return path


def requirements(root: Path, digest: str = "") -> None:
    (root / "requirements").mkdir(exist_ok=True)
    made = wheel(root)
    digest = digest or hashlib.sha256(made.read_bytes()).hexdigest()
    text = f"--no-index\n--find-links {root}\ntinything==1.0 --hash=sha256:{digest}\n"
    (root / "requirements" / "tiny.txt").write_text(text)


def test_made_once_renewed_when_the_requirements_change(tmp_path: Path) -> None:
    told: list[tuple[str, dict[str, Any]]] = []

    def say(event: str, values: dict[str, object]) -> None:
        told.append((event, dict(values)))

    assert state(TINY, tmp_path) == "missing"
    requirements(tmp_path, "0" * 64)
    assert state(TINY, tmp_path) == "absent"
    with pytest.raises(SetupFailed, match="HASHES"):
        install(TINY, tmp_path, say)
    assert state(TINY, tmp_path) == "unfinished"

    told.clear()
    requirements(tmp_path)
    install(TINY, tmp_path, say)
    assert state(TINY, tmp_path) == "ready"
    events = [event for event, _ in told]
    assert events[0] == "plan" and events[-1] == "done" and events.count("step") == 2
    assert told[0][1]["packages"] == 1 and told[0][1]["disk_mib"] == 1
    assert any(values.get("text", "").startswith("Successfully installed") for _, values in told)
    assert environment("tiny", tmp_path).is_dir()

    told.clear()
    install(TINY, tmp_path, say)
    assert [(event, values["already"]) for event, values in told] == [("done", True)]
    path = tmp_path / "requirements" / "tiny.txt"
    path.write_text(path.read_text() + "# changed\n")
    assert state(TINY, tmp_path) == "outdated"


def test_a_gpu_brings_more_and_makes_what_was_set_up_without_one_outdated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("providers.engine.families.has_gpu", lambda: False)
    requirements(tmp_path)
    further = tmp_path / "requirements/tiny-gpu.txt"
    further.write_text((tmp_path / "requirements/tiny.txt").read_text())
    family = replace(TINY, on_gpu=(7, 9))
    install(family, tmp_path, lambda event, values: None)
    assert state(family, tmp_path) == "ready" and sizes(family) == (1, 1)

    told: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr("providers.engine.families.has_gpu", lambda: True)
    assert state(family, tmp_path) == "outdated"
    install(family, tmp_path, lambda event, values: told.append((event, dict(values))))
    assert told[0][1]["download_mib"] == 8 and told[0][1]["packages"] == 2
    assert [values["text"] for event, values in told if event == "step"][-2] == "tiny-gpu.txt"
    assert state(family, tmp_path) == "ready"


def test_no_room_is_told_before_anything_is_downloaded(tmp_path: Path) -> None:
    requirements(tmp_path)
    large = Family("tiny", "a test", "", torch=False, disk=1 << 40)
    with pytest.raises(SetupFailed, match="are free"):
        install(large, tmp_path, lambda event, values: None)
    assert not (environment("tiny", tmp_path) / "bin").exists()


def test_the_command_prints_lines_for_the_panel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["family"] for line in lines] == list(FAMILIES)
    assert main(["--json", "--root", str(tmp_path), "install", "vllm"]) == 1
    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert line["event"] == "error" and "is missing" in line["reason"]
    assert main(["--root", str(tmp_path), "list"]) == 0
    assert "missing" in capsys.readouterr().out


def test_it_runs_before_anything_is_installed() -> None:
    """-S leaves out site-packages: only the standard library is there."""
    argv = [sys.executable, "-S", "-m", "providers.engine.families", "list", "--json"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)
    assert [json.loads(line)["event"] for line in done.stdout.splitlines()] == ["family"] * 3
