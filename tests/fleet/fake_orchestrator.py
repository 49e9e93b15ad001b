"""The real orchestrator over the fake kinds: `python -m tests.fleet.fake_orchestrator`."""

import os
import sys
from dataclasses import replace

from core.fleet.command import run
from core.fleet.parts import Parts
from core.fleet.terminal import Terminal
from tests.fleet.conftest import ENTRY, KINDS, QUICK

if __name__ == "__main__":
    timing = replace(QUICK, drain=float(os.environ.get("DRAIN_SECONDS", QUICK.drain)))
    sys.exit(run(None, Terminal(language="en"), Parts(KINDS, ENTRY, "tests.fleet.fake_web", timing)))
