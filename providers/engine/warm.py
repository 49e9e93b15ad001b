"""A family's warmed parent: it has imported what its models need, and forks a worker for each of them.

    python -m providers.engine.warm FAMILY     (its socket is descriptor 3)

It runs in the family's own environment and knows nothing of the host's libraries. It never touches a GPU:
what is forked after that could not use it.
"""

import array
import importlib
import json
import os
import signal
import socket
import sys

from providers.engine.prctl import die_with_parent, name_process

FAMILIES = {"fake": "providers.engine.fake", "diffusers": "providers.engine.diffusion"}
SOCKET = 3


def main(family: str) -> None:
    """Serve forks until the host hangs up."""
    die_with_parent()
    name_process(f"by-warm-{family}")
    module = importlib.import_module(FAMILIES[family])
    module.warm()
    host = socket.socket(fileno=SOCKET)
    children: dict[int, int] = {}
    own = os.getpid()
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(-1)
    _say(host, {"ready": True})
    host.settimeout(0.1)
    while True:
        try:
            message, descriptors, _, _ = socket.recv_fds(host, 65536, 1)
        except TimeoutError:
            _reap(host, children)
            continue
        except InterruptedError:
            continue
        if not message:
            os._exit(0)
        request = json.loads(message)
        pid = os.fork()
        if pid == 0:
            _child(module, host, descriptors[0], own)
        os.close(descriptors[0])
        children[pid] = request["id"]
        _say(host, {"id": request["id"], "pid": pid})


def _child(module: object, host: socket.socket, descriptor: int, parent: int) -> None:
    """Be a worker, never to return."""
    code = 1
    try:
        host.close()
        die_with_parent(parent)
        name_process("by-worker")
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        worker = importlib.import_module("providers.engine.worker")
        worker.serve(socket.socket(fileno=descriptor), module)
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def _reap(host: socket.socket, children: dict[int, int]) -> None:
    while children:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        _say(host, {"ended": children.pop(pid, 0), "code": os.waitstatus_to_exitcode(status)})


def _say(host: socket.socket, message: dict[str, object]) -> None:
    host.sendall(json.dumps(message).encode() + b"\n")


_ = array  # recv_fds needs it loaded before the first fork

if __name__ == "__main__":
    main(sys.argv[1])
