"""Setting up families: an environment `.venv-FAMILY` for each kind of engine, from its locked requirements.

`python -m providers.engine.families install diffusers [--json]` says first what it will download, then does
it step by step; with --json every line is an object, which the panel reads. Doing it again costs nothing
until the requirements change. Only the standard library is used: it runs before anything is installed.
"""

import argparse
import fcntl
import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TORCH = "torch==2.13.0"
STAMP = "botyard.stamp"
GUARD = Path(__file__).with_name("guard.py")
PACKAGE = re.compile(r"^[A-Za-z0-9]", re.MULTILINE)
TOLD = re.compile(r"^\s*(Collecting|Downloading|Using cached|Installing collected|Successfully)\b.*")
MIB = 1 << 20

Say = Callable[[str, dict[str, object]], None]


class SetupFailed(Exception):
    """Why a family could not be set up; for an operator."""


@dataclass(frozen=True, slots=True)
class Family:
    """One environment. `torch` says that torch is installed before the rest, apart; `download` and `disk` are
    rough MiB beside torch; `on_gpu` is both for what comes beside where there is an NVIDIA GPU (a file of
    requirements of its own); `check` is run at the end by the new interpreter."""

    name: str
    about: str
    check: str
    torch: bool = True
    download: int = 60
    disk: int = 300
    gpu: bool = False
    on_gpu: tuple[int, int] = (0, 0)


FAMILIES = {
    family.name: family
    for family in (
        Family(
            "diffusers",
            "images and video",
            "import diffusers, transformers, accelerate",
            True,
            90,
            400,
            on_gpu=(42, 130),
        ),
        Family("transformers", "text on the CPU", "import transformers, uvicorn, accelerate", True, 60, 300),
        Family("vllm", "text on an NVIDIA GPU", "import vllm.version", False, 4500, 11_000, True),
    )
}


def main(arguments: list[str]) -> int:
    """The command line; the exit code is 1 when a family could not be set up."""
    parser = argparse.ArgumentParser(
        prog="orchestrator.py engines", description="Set up families of engines."
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="what is set up")
    installing = commands.add_parser("install", help="make .venv-FAMILY")
    installing.add_argument("family", choices=sorted(FAMILIES))
    installing.add_argument("--torch-index", default="", help="where torch comes from instead of the default")
    for one in commands.choices.values():
        one.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    say = _json_line if chosen.json else _line
    if chosen.command == "list":
        for family in FAMILIES.values():
            say("family", {"family": family.name, "about": family.about, "state": state(family, chosen.root)})
        return 0
    try:
        install(FAMILIES[chosen.family], chosen.root, say, chosen.torch_index)
    except (SetupFailed, OSError) as error:
        say("error", {"family": chosen.family, "reason": str(error)})
        return 1
    return 0


def state(family: Family, root: Path) -> str:
    """ready, absent, unfinished (begun and not ended), outdated (the requirements changed since), or missing
    (this Botyard has no requirements for it)."""
    if not _requirements(family, root)[0].exists():
        return "missing"
    folder = environment(family.name, root)
    if not (folder / STAMP).exists():
        return "unfinished" if folder.exists() else "absent"
    return "ready" if (folder / STAMP).read_text() == _stamp(family, root) else "outdated"


def environment(name: str, root: Path = ROOT) -> Path:
    """Where a family's environment is."""
    return root / f".venv-{name}"


def install(family: Family, root: Path, say: Say, torch_index: str = "") -> None:
    """Make or renew the environment. Raises SetupFailed."""
    requirements = _requirements(family, root)
    if not requirements[0].exists():
        raise SetupFailed(f"{requirements[0]} is missing")
    folder = environment(family.name, root)
    folder.mkdir(exist_ok=True)
    with _alone(family, folder, say):
        if state(family, root) == "ready":
            say("done", {"family": family.name, "already": True, "folder": str(folder)})
            return
        began = time.monotonic()
        _plan(family, folder, requirements, say)
        (folder / STAMP).unlink(missing_ok=True)
        steps = _steps(family, folder, requirements, torch_index)
        for place, (text, command) in enumerate(steps, start=1):
            say("step", {"family": family.name, "step": place, "steps": len(steps), "text": text})
            _run(command, lambda line: say("progress", {"family": family.name, "text": line}))
        (folder / STAMP).write_text(_stamp(family, root))
        seconds = round(time.monotonic() - began, 1)
        say("done", {"family": family.name, "already": False, "folder": str(folder), "seconds": seconds})


def has_gpu() -> bool:
    """Whether NVIDIA's driver is loaded."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def sizes(family: Family) -> tuple[int, int]:
    """Rough MiB to download, and on the disk."""
    torch = ((3000, 8000) if has_gpu() else (190, 900)) if family.torch else (0, 0)
    more = family.on_gpu if has_gpu() else (0, 0)
    return family.download + torch[0] + more[0], family.disk + torch[1] + more[1]


def _plan(family: Family, folder: Path, requirements: Sequence[Path], say: Say) -> None:
    """What is to come, and whether there is room for it."""
    packages = sum(len(PACKAGE.findall(file.read_text())) for file in requirements)
    download, disk = sizes(family)
    plan: dict[str, object] = {
        "packages": packages,
        "download_mib": download,
        "disk_mib": disk,
        "folder": str(folder),
    }
    say(
        "plan", {"family": family.name, "about": family.about, "torch": TORCH if family.torch else "", **plan}
    )
    if family.gpu and not has_gpu():
        say(
            "progress",
            {"family": family.name, "text": "No NVIDIA GPU is seen here; it needs one to run."},
        )
    free = shutil.disk_usage(folder).free // MIB
    if free < disk:
        raise SetupFailed(f"about {disk} MiB are needed on the disk, {free} MiB are free")


def _steps(
    family: Family, folder: Path, requirements: Sequence[Path], torch_index: str
) -> list[tuple[str, list[str]]]:
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar=off"]
    steps: list[tuple[str, list[str]]] = []
    if not (folder / "bin" / "pip").exists():
        steps.append(("an empty environment", [sys.executable, "-m", "venv", str(folder)]))
    if family.torch:
        index = ["--index-url", torch_index] if torch_index else []
        steps.append((TORCH, [*pip, *index, TORCH]))
    for file in requirements:
        locked = ["--no-deps", "--require-hashes"] if "--hash=" in file.read_text() else []
        steps.append((file.name, [*pip, *locked, "-r", str(file)]))
    steps.append(("trying it", [python, "-c", family.check]))
    return steps


def _run(command: list[str], tell: Callable[[str], None]) -> None:
    """Run one step, which dies with this process, and pass on what it does. Raises SetupFailed with the end
    of what it printed."""
    lines: list[str] = []
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    guarded = [sys.executable, "-I", "-S", str(GUARD), *command]
    with subprocess.Popen(guarded, stdout=pipe, stderr=both, text=True, errors="replace") as process:
        try:
            for line in process.stdout or ():
                lines = [*lines[-20:], line.rstrip()]
                if TOLD.match(line):
                    tell(line.strip()[:300])
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise SetupFailed("\n".join(lines) or f"ended with {process.returncode}")


@contextmanager
def _alone(family: Family, folder: Path, say: Say) -> Iterator[None]:
    """One set-up of a family at a time; a second waits and then finds it done."""
    with (folder / "botyard.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting = "Waiting for another set-up of the same family, begun elsewhere."
            say("progress", {"family": family.name, "text": waiting})
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _requirements(family: Family, root: Path) -> list[Path]:
    """Its file of requirements, and the further one for a machine with a GPU."""
    folder = root / "requirements"
    further = folder / f"{family.name}-gpu.txt"
    return [folder / f"{family.name}.txt", *([further] if has_gpu() and further.exists() else [])]


def _stamp(family: Family, root: Path) -> str:
    """Another one is another environment."""
    told = [TORCH if family.torch else "", f"{sys.version_info[:2]}", str(environment(family.name, root))]
    needed = b"".join(file.read_bytes() for file in _requirements(family, root))
    return hashlib.sha256(needed + "\n".join(told).encode()).hexdigest()


def _json_line(event: str, values: dict[str, object]) -> None:
    print(json.dumps({"event": event, **values}), flush=True)


def _line(event: str, values: dict[str, object]) -> None:
    """The same for people."""
    print(told(event, values), flush=True)


def told(event: str, values: Mapping[str, object]) -> str:
    """An event in words."""
    family = values.get("family")
    if event == "plan":
        torch = f", {values['torch']} among them" if values["torch"] else ""
        return (
            f"{family} ({values['about']}): {values['packages']} packages{torch}. About "
            f"{values['download_mib']} MiB to download, {values['disk_mib']} MiB on the disk, "
            f"in {values['folder']}"
        )
    if event == "step":
        return f"[{values['step']}/{values['steps']}] {values['text']}"
    if event == "family":
        return f"{family:14} {values['state']:12} {values['about']}"
    if event == "done":
        return f"{family} is set up" + ("" if values["already"] else f", after {values['seconds']} s")
    return str(values.get("text") or values.get("reason"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
