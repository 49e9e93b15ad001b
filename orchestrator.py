"""Botyard's command line: `python orchestrator.py run`, `python orchestrator.py check fleet.toml`."""

import argparse
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from core.fleet.command import check, run
from core.fleet.terminal import Terminal

COMMANDS = ("run", "check", "engines")
DEVELOPMENT = "0.1.0"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="orchestrator.py", description="Run a fleet of chat bots.")
    parser.add_argument("--version", action="version", version=f"Botyard {own_version()}")
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run", help="run the fleet (the default)")
    running.add_argument("--fleet", type=Path, help="a fleet file (or BOTYARD_FLEET)")
    checking = commands.add_parser("check", help="check a fleet file and print every error")
    checking.add_argument("file", type=Path)
    commands.add_parser("engines", help="set up families of engines: list, install FAMILY [--json]")
    return parser


def own_version() -> str:
    """The installed version, or that of the source tree."""
    try:
        return version("botyard")
    except PackageNotFoundError:
        return DEVELOPMENT


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit code."""
    if not arguments or (arguments[0] not in COMMANDS and arguments[0] not in ("-h", "--help", "--version")):
        arguments = ["run", *arguments]
    if arguments[0] == "engines":  # a program of its own: nothing of it is imported here
        os.chdir(Path(__file__).parent)
        os.execv(sys.executable, [sys.executable, "-m", "providers.engine.families", *arguments[1:]])
    chosen = build_parser().parse_args(arguments)
    if chosen.command == "check":
        return check(chosen.file, Terminal())
    return run(chosen.fleet, Terminal())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
