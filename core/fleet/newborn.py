"""The first steps of a forked channel: it lets go of all that was the fork server's."""

import faulthandler
import importlib
import os
import random
import resource
import signal
import traceback
from dataclasses import dataclass
from typing import NoReturn

from core.fleet.pipes import use_lossy_output
from core.fleet.prctl import await_adoption, die_with, name_process

LINK = 3  # the channel's end of the socket pair
RESET = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1, signal.SIGUSR2)


@dataclass(frozen=True, slots=True)
class Birth:
    """Who the new process is."""

    orchestrator: int
    entry: str
    kind: str
    name: str


def be_born(birth: Birth, descriptors: list[int]) -> NoReturn:
    """Become the channel, run it, exit with its code. Never returns into the fork server's stack."""
    code = 1
    try:
        os.setsid()
        await_adoption(birth.orchestrator)
        die_with(birth.orchestrator)
        _take_descriptors(*descriptors)
        for number in RESET:
            signal.signal(number, signal.SIG_DFL)
        random.seed()
        name_process(birth.name)
        use_lossy_output()
        faulthandler.enable()
        faulthandler.register(signal.SIGUSR2, all_threads=True)  # answers even when the loop is blocked
        code = importlib.import_module(birth.entry).child_main(birth.kind, LINK)
    except BaseException:  # noqa: BLE001 - the edge of the process: whatever it is ends here, in the log
        traceback.print_exc()
    finally:
        os._exit(code)


def _take_descriptors(link: int, output: int) -> None:
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.dup2(link, LINK)
    os.closerange(LINK + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
