"""The fork server: imports and rehearses once, then forks channels in milliseconds.

Started by the orchestrator as `python -m core.fleet.forkserver SOCKET ORCHESTRATOR_PID ENTRY`. ENTRY is a
module with `child_main(kind, descriptor) -> exit code` and, if it likes, `rehearse_database(url)`.
One thread, no event loop, one open socket: what it holds open, every channel would inherit.
"""

import gc
import importlib
import json
import logging
import os
import socket
import sys
import time
import traceback
from typing import Any

from core.fleet.newborn import Birth, be_born
from core.fleet.pipes import use_lossy_output
from core.fleet.prctl import die_with, name_process

LONGEST_REQUEST = 64 * 1024
logger = logging.getLogger("forkserver")


class ForkServer:
    """Serves "preload" and "fork" requests of the orchestrator, one at a time."""

    def __init__(self, control: socket.socket, orchestrator: int, entry: str) -> None:
        self._control = control
        self._orchestrator = orchestrator
        self._entry = entry
        self._rehearsed = False

    def serve(self) -> int:
        """Serve until the orchestrator closes the socket."""
        while True:
            data, descriptors, _, _ = socket.recv_fds(self._control, LONGEST_REQUEST, 2)
            if not data:
                return 0
            request = json.loads(data)
            if request["op"] == "preload":
                self._preload(request)
            else:
                self._fork(request, descriptors)

    def _preload(self, request: dict[str, Any]) -> None:
        begun = time.monotonic()
        for kind, module in request["modules"].items():
            _warm(kind, module)
        if not self._rehearsed:
            _rehearse(self._entry)
            self._rehearsed = True
        gc.collect()
        gc.freeze()
        threads = len(os.listdir("/proc/self/task"))
        if threads > 1:
            logger.error("%s threads after the preload: forks may hang", threads)
        self._reply({"preloaded": list(request["modules"]), "seconds": time.monotonic() - begun})

    def _fork(self, request: dict[str, Any], descriptors: list[int]) -> None:
        between = os.fork()
        if between == 0:
            self._fork_again(request, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        os.waitpid(between, 0)

    def _fork_again(self, request: dict[str, Any], descriptors: list[int]) -> None:
        """In the process between: its end makes the channel a child of the orchestrator."""
        code = 1
        try:
            pid = os.fork()
            if pid == 0:
                be_born(Birth(self._orchestrator, self._entry, request["kind"], request["name"]), descriptors)
            self._reply({"id": request["id"], "pid": pid})
            code = 0
        finally:
            if code:
                traceback.print_exc()
            os._exit(code)

    def _reply(self, message: dict[str, Any]) -> None:
        self._control.send(json.dumps(message).encode())


def _warm(kind: str, module: str) -> None:
    try:
        importlib.import_module(module).preload()
    except Exception:  # an edge: the channel itself shows the error when it starts
        logger.exception("preload of %s failed", kind)


def _rehearse(entry: str) -> None:
    try:
        rehearse = getattr(importlib.import_module(entry), "rehearse_database", None)
        if rehearse and os.environ.get("DATABASE_URL"):
            rehearse(os.environ["DATABASE_URL"])
    except Exception:  # an edge: a cold database path costs memory, not the channel
        logger.exception("the rehearsal of the database failed")


def main(arguments: list[str]) -> int:
    """Serve on the inherited socket."""
    descriptor, orchestrator, entry = arguments
    die_with(int(orchestrator))
    name_process("by-forkserver")
    use_lossy_output()
    control = socket.socket(fileno=int(descriptor))
    control.setblocking(True)
    return ForkServer(control, int(orchestrator), entry).serve()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
