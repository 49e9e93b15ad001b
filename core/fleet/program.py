"""Runs a module as a supervised program: `python -m core.fleet.program ORCHESTRATOR_PID NAME MODULE ...`."""

import faulthandler
import runpy
import signal
import sys

from core.fleet.pipes import use_lossy_output
from core.fleet.prctl import die_with, name_process


def main(arguments: list[str]) -> None:
    """Tie this process to the orchestrator's life, then be the module."""
    orchestrator, name, module, *rest = arguments
    die_with(int(orchestrator))
    name_process(f"by-{name}")
    use_lossy_output()
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR2, all_threads=True)
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
